import io.polyhost.Hooks;
import io.polyhost.Table;
import io.polyhost.Target;
import java.nio.file.Path;

/** The score of a row is a - b, in a column of any name. */
public class Custom implements Hooks {

  @Override
  public Object loadModel(Path codeDir) {
    return 2.0;
  }

  @Override
  public Table score(Table rows, Object model, Target target) {
    double[] a = rows.numbers("a");
    double[] b = rows.numbers("b");
    double[] differences = new double[rows.rows()];
    for (int row = 0; row < differences.length; row++) {
      differences[row] = a[row] - b[row];
    }
    return Table.of("anomaly score", differences);
  }
}
