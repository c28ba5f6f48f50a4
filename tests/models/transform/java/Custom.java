import io.polyhost.Hooks;
import io.polyhost.Table;
import java.nio.file.Path;
import java.util.Arrays;

/** Twice a, and b as it is. */
public class Custom implements Hooks {

  @Override
  public Object loadModel(Path codeDir) {
    return 2.0;
  }

  @Override
  public Table transform(Table rows, Object model) {
    double[] doubled = Arrays.stream(rows.numbers("a")).map(a -> 2 * a).toArray();
    return Table.of("a2", doubled).with("b", rows.numbers("b"));
  }
}
