import io.polyhost.Hooks;
import io.polyhost.Table;
import io.polyhost.Target;
import java.nio.file.Path;
import java.util.Arrays;

/** A column of notes beside the predictions. */
public class Custom implements Hooks {

  @Override
  public Object loadModel(Path codeDir) {
    return 2.0;
  }

  @Override
  public Table score(Table rows, Object model, Target target) {
    String[] notes =
        Arrays.stream(rows.texts("name")).map(name -> "row " + name).toArray(String[]::new);
    return Table.of("Predictions", rows.numbers("a")).with("note", notes);
  }
}
