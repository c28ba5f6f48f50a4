import io.polyhost.Hooks;
import io.polyhost.Table;
import io.polyhost.Target;
import java.nio.file.Path;
import java.util.Arrays;

/** A column of notes before the probabilities. */
public class Custom implements Hooks {

  @Override
  public Object loadModel(Path codeDir) {
    return 2.0;
  }

  @Override
  public Table score(Table rows, Object model, Target target) {
    String[] texts =
        Arrays.stream(rows.texts("name")).map(name -> "row " + name).toArray(String[]::new);
    return Table.of("note", texts)
        .with("no", Arrays.stream(rows.numbers("a")).map(a -> 1 - a / 10).toArray())
        .with("yes", Arrays.stream(rows.numbers("a")).map(a -> a / 10).toArray());
  }
}
