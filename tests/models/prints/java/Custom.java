import io.polyhost.Hooks;
import io.polyhost.Table;
import io.polyhost.Target;
import java.nio.file.Path;

/** Prints wherever it can. */
public class Custom implements Hooks {

  static {
    noise();
  }

  private static void noise() {
    System.out.println("noise");
    System.err.println("noise");
  }

  @Override
  public Object loadModel(Path codeDir) {
    noise();
    return 2.0;
  }

  @Override
  public Table score(Table rows, Object model, Target target) {
    noise();
    double[] a = rows.numbers("a");
    double[] b = rows.numbers("b");
    double[] sums = new double[rows.rows()];
    for (int row = 0; row < sums.length; row++) {
      sums[row] = a[row] + (double) model * b[row];
    }
    return Table.of("Predictions", sums);
  }
}
