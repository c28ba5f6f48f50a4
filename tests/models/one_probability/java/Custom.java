import io.polyhost.Hooks;
import io.polyhost.Table;
import io.polyhost.Target;
import java.nio.file.Path;
import java.util.Arrays;

/** The positive class alone. */
public class Custom implements Hooks {

  @Override
  public Object loadModel(Path codeDir) {
    return 2.0;
  }

  @Override
  public Table score(Table rows, Object model, Target target) {
    double[] a = rows.numbers("a");
    return Table.of("yes", Arrays.stream(a).map(value -> value / 10).toArray());
  }
}
