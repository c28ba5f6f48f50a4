import io.polyhost.Hooks;
import io.polyhost.Table;
import io.polyhost.Target;
import java.nio.file.Path;

/** Never has a model. */
public class Custom implements Hooks {

  @Override
  public Object loadModel(Path codeDir) throws InterruptedException {
    Thread.sleep(600_000);
    return 1.0;
  }

  @Override
  public Table score(Table rows, Object model, Target target) {
    return rows;
  }
}
