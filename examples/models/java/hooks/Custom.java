import io.polyhost.Hooks;
import io.polyhost.Table;
import io.polyhost.Target;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;

/** A linear model in a file of weights: no artifact that polyhost knows, so hooks load and score. */
public final class Custom implements Hooks {

  @Override
  public Object loadModel(Path codeDir) throws IOException {
    Map<String, Double> weights = new HashMap<>();
    for (String line : Files.readAllLines(codeDir.resolve("weights.csv"))) {
      int comma = line.lastIndexOf(',');
      weights.put(line.substring(0, comma), Double.valueOf(line.substring(comma + 1)));
    }
    return weights;
  }

  @Override
  @SuppressWarnings("unchecked")
  public Table score(Table rows, Object model, Target target) {
    Map<String, Double> weights = new HashMap<>((Map<String, Double>) model);
    double[] total = new double[rows.rows()];
    Arrays.fill(total, weights.remove("Intercept"));
    weights.forEach(
        (name, weight) -> {
          double[] column = rows.numbers(name);
          for (int i = 0; i < total.length; i++) {
            total[i] += column[i] * weight;
          }
        });
    return Table.of("Predictions", total);
  }
}
