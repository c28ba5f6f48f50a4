import io.polyhost.Hooks;
import io.polyhost.Table;
import io.polyhost.Target;
import java.nio.file.Path;
import java.util.Arrays;

/** An answer for each name. */
public class Custom implements Hooks {

  @Override
  public Object loadModel(Path codeDir) {
    return 2.0;
  }

  @Override
  public Table score(Table rows, Object model, Target target) {
    String[] texts =
        Arrays.stream(rows.texts("name")).map(name -> "agent of " + name).toArray(String[]::new);
    return Table.of("answer", texts);
  }
}
