import io.polyhost.Hooks;
import io.polyhost.Table;
import io.polyhost.Target;
import java.nio.file.Path;

/** Fails to load. */
public class Custom implements Hooks {

  @Override
  public Object loadModel(Path codeDir) {
    throw new IllegalStateException("load went wrong");
  }

  @Override
  public Table score(Table rows, Object model, Target target) {
    return Table.of("Predictions", rows.numbers("a"));
  }
}
