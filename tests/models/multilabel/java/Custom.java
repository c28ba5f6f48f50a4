import io.polyhost.Hooks;
import io.polyhost.Table;
import io.polyhost.Target;
import java.nio.file.Path;
import java.util.Arrays;

/** Each label has a probability of its own. */
public class Custom implements Hooks {

  @Override
  public Object loadModel(Path codeDir) {
    return 2.0;
  }

  @Override
  public Table score(Table rows, Object model, Target target) {
    double[] x = Arrays.stream(rows.numbers("a")).map(a -> a / 10).toArray();
    double[] y = Arrays.stream(rows.numbers("b")).map(b -> b / 10).toArray();
    double[] z = new double[x.length];
    Arrays.fill(z, 0.9);
    return Table.of("x", x).with("y", y).with("z", z);
  }
}
