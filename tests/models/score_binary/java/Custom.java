import io.polyhost.Hooks;
import io.polyhost.Table;
import io.polyhost.Target;
import java.nio.file.Path;

/** The probability of yes is a / 10. */
public class Custom implements Hooks {

  @Override
  public Object loadModel(Path codeDir) {
    return 2.0;
  }

  @Override
  public Table score(Table rows, Object model, Target target) {
    double[] a = rows.numbers("a");
    double[] yes = new double[a.length];
    double[] no = new double[a.length];
    for (int row = 0; row < a.length; row++) {
      yes[row] = a[row] / 10;
      no[row] = 1 - yes[row];
    }
    return Table.of("no", no).with("yes", yes);
  }
}
