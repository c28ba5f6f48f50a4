import io.polyhost.Hooks;
import io.polyhost.Reply;
import io.polyhost.Request;
import java.nio.file.Path;
import java.util.Locale;

/** The query key mode chooses what is answered. */
public class Custom implements Hooks {

  @Override
  public Object loadModel(Path codeDir) {
    return 2.0;
  }

  @Override
  public Reply scoreUnstructured(Object model, Request request) {
    switch (request.query().getOrDefault("mode", "upper")) {
      case "upper":
        return Reply.text(request.text().toUpperCase(Locale.ROOT));
      case "bytes":
        return Reply.bytes(new byte[] {0, 1, 2, (byte) 0xff});
      case "none":
        return null;
      case "typed":
        return Reply.text("{\"ok\":true}").withMimetype("application/json").withCharset("utf8");
      case "length":
        return Reply.text(Integer.toString(request.bytes().length));
      default:
        throw new IllegalStateException("asked to fail");
    }
  }
}
