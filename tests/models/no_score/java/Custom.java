import io.polyhost.Hooks;
import java.nio.file.Path;

/** A model of text, and nothing to score it with. */
public class Custom implements Hooks {

  @Override
  public Object loadModel(Path codeDir) {
    return "a model";
  }
}
