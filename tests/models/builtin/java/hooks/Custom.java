import io.polyhost.Hooks;
import io.polyhost.Table;
import java.util.Arrays;

public class Custom implements Hooks {

  @Override
  public Table transform(Table rows, Object model) {
    return rows.with(rows.names().get(0), rows.numbers("spare"));
  }

  @Override
  public Table postProcess(Table predictions, Object model) {
    double[] raised =
        Arrays.stream(predictions.numbers("Predictions")).map(value -> value + 1000).toArray();
    return predictions.with("Predictions", raised);
  }
}
