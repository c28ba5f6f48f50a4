package io.polyhost.builtin;

import com.datarobot.prediction.IClassificationPredictor;
import com.datarobot.prediction.IPredictorInfo;
import com.datarobot.prediction.IRegressionPredictor;
import com.datarobot.prediction.Predictors;
import io.polyhost.Column;
import io.polyhost.PredictorException;
import io.polyhost.Table;
import io.polyhost.load.ModelLoader;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.ServiceConfigurationError;

/** A model exported as a scoring-code jar. */
public final class ScoringCodeModel implements BuiltIn {
  private final IPredictorInfo model;
  private final Map<String, Class<?>> features;
  private final String[] labels;

  private ScoringCodeModel(IPredictorInfo model) throws PredictorException {
    this.model = model;
    this.features = new LinkedHashMap<>();
    if (model.getFeatures() != null) {
      model.getFeatures().forEach(features::put);
    }
    if (model instanceof IClassificationPredictor) {
      this.labels = ((IClassificationPredictor) model).getClassLabels();
    } else if (model instanceof IRegressionPredictor) {
      this.labels = new String[0];
    } else {
      throw PredictorException.load(
          String.format(
              "the scoring-code model %s cannot be served: expected a regression or a"
                  + " classification model, found %s",
              model.getModelId(), model.getClass().getName()));
    }
  }

  /** The one model that the jars of this loader hold. */
  public static ScoringCodeModel of(ModelLoader loader) throws PredictorException {
    try {
      IPredictorInfo found = Predictors.getPredictor(loader);
      return new ScoringCodeModel(found);
    } catch (RuntimeException | ServiceConfigurationError | LinkageError broken) {
      throw PredictorException.load(
          "no scoring-code model can be loaded from the jars: " + broken.getMessage(), broken);
    }
  }

  @Override
  public IPredictorInfo model() {
    return model;
  }

  @Override
  public String framework() {
    return "datarobot scoring code";
  }

  @Override
  public String[] columns() {
    return features.keySet().toArray(new String[0]);
  }

  @Override
  public String[] kinds() {
    return features.values().stream()
        .map(type -> isNumber(type) ? "number" : "text")
        .toArray(String[]::new);
  }

  private static boolean isNumber(Class<?> type) {
    return type != null && Number.class.isAssignableFrom(type);
  }

  @Override
  public String[] labels() {
    return labels.clone();
  }

  @Override
  public Table predict(Table rows) throws PredictorException {
    Map<String, Object> row = new HashMap<>();
    double[][] scores = new double[Math.max(1, labels.length)][rows.rows()];
    for (int number = 0; number < rows.rows(); number++) {
      fill(row, rows, number);
      if (model instanceof IRegressionPredictor) {
        scores[0][number] = ((IRegressionPredictor) model).score(row);
      } else {
        Map<String, Double> answer = ((IClassificationPredictor) model).score(row);
        for (int i = 0; i < labels.length; i++) {
          scores[i][number] = probability(answer, labels[i]);
        }
      }
    }
    return table(scores);
  }

  private static double probability(Map<String, Double> answer, String label)
      throws PredictorException {
    Double value = answer.get(label);
    if (value == null) {
      throw PredictorException.output(
          String.format(
              "the model gave no probability for its class '%s': found %s",
              label, answer.keySet()));
    }
    return value;
  }

  private Table table(double[][] scores) {
    List<Column> columns = new ArrayList<>();
    for (double[] column : scores) {
      columns.add(Column.of(column));
    }
    return new Table(labels.length == 0 ? List.of("Predictions") : List.of(labels), columns);
  }

  /** The cells of a row: text as it came, numbers as the model declares them, missing left out. */
  private void fill(Map<String, Object> row, Table rows, int number) {
    row.clear();
    for (int i = rows.names().size() - 1; i >= 0; i--) {
      Column column = rows.columns().get(i);
      if (!column.isMissing(number)) {
        row.put(rows.names().get(i), value(column, number, features.get(rows.names().get(i))));
      }
    }
  }

  private static Object value(Column column, int number, Class<?> declared) {
    boolean asText = column.type() == Column.Type.TEXT || (declared != null && !isNumber(declared));
    return asText ? column.text(number) : (Object) column.number(number);
  }
}
