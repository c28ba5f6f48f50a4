import io.polyhost.Hooks;
import io.polyhost.Reply;
import io.polyhost.Request;
import java.nio.file.Path;

/** Tells what it was told. */
public class Custom implements Hooks {

  @Override
  public Object loadModel(Path codeDir) {
    return 2.0;
  }

  @Override
  public Reply scoreUnstructured(Object model, Request request) {
    String charset = request.charset() == null ? "absent" : request.charset();
    String kind = request.isText() ? "text" : "bytes";
    String key = request.query().getOrDefault("k", "absent");
    return Reply.text(String.join("|", request.mimetype(), charset, kind, key));
  }
}
