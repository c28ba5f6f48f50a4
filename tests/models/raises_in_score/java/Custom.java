import io.polyhost.Hooks;
import io.polyhost.Table;
import io.polyhost.Target;
import java.nio.file.Path;

/** Fails when asked to score. */
public class Custom implements Hooks {

  @Override
  public Object loadModel(Path codeDir) {
    return 2.0;
  }

  @Override
  public Table score(Table rows, Object model, Target target) {
    throw new IllegalStateException("score went wrong");
  }
}
