import io.polyhost.Hooks;
import io.polyhost.Table;
import io.polyhost.Target;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.stream.Collectors;

/** Every structured hook, each with its own mark on the prediction. */
public class Custom implements Hooks {

  private double offset;

  @Override
  public void init(Path codeDir) {
    offset = 1.0;
  }

  @Override
  public Object loadModel(Path codeDir) {
    return 2.0;
  }

  @Override
  public Table readInputData(byte[] body) throws Exception {
    String csv =
        new String(body, StandardCharsets.UTF_8)
            .lines()
            .filter(line -> !line.startsWith("#"))
            .collect(Collectors.joining("\n"));
    return Table.readCsv(csv.getBytes(StandardCharsets.UTF_8));
  }

  @Override
  public Table transform(Table rows, Object model) {
    double[] c = Arrays.stream(rows.numbers("a")).map(a -> 10 * a).toArray();
    return rows.with("c", c);
  }

  @Override
  public Table score(Table rows, Object model, Target target) {
    double[] b = rows.numbers("b");
    double[] c = rows.numbers("c");
    double[] sums = new double[rows.rows()];
    for (int row = 0; row < sums.length; row++) {
      sums[row] = c[row] + (double) model * b[row] + offset;
    }
    return Table.of("Predictions", sums);
  }

  @Override
  public Table postProcess(Table predictions, Object model) {
    double[] raised =
        Arrays.stream(predictions.numbers("Predictions")).map(value -> value + 1000).toArray();
    return predictions.with("Predictions", raised);
  }
}
