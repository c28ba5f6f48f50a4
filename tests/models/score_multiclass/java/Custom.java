import io.polyhost.Hooks;
import io.polyhost.Table;
import io.polyhost.Target;
import java.nio.file.Path;

/** Half of the probability is for x, the rest is shared by y and z. */
public class Custom implements Hooks {

  @Override
  public Object loadModel(Path codeDir) {
    return 2.0;
  }

  @Override
  public Table score(Table rows, Object model, Target target) {
    double[] a = rows.numbers("a");
    double[] x = new double[a.length];
    double[] y = new double[a.length];
    double[] z = new double[a.length];
    for (int row = 0; row < a.length; row++) {
      x[row] = 0.5;
      y[row] = a[row] / 20;
      z[row] = 0.5 - y[row];
    }
    return Table.of("x", x).with("y", y).with("z", z);
  }
}
