import hex.genmodel.GenModel;
import hex.genmodel.MojoModel;
import hex.genmodel.easy.EasyPredictModelWrapper;
import hex.genmodel.easy.RowData;
import hex.genmodel.easy.prediction.AbstractPrediction;
import hex.genmodel.easy.prediction.AnomalyDetectionPrediction;
import hex.genmodel.easy.prediction.BinomialModelPrediction;
import hex.genmodel.easy.prediction.MultinomialModelPrediction;
import hex.genmodel.easy.prediction.RegressionModelPrediction;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;

/**
 * H2O's own scorer. Each line of the input names a model (a MOJO's file, or a POJO's class) and,
 * after a tab, a file of rows; the answer is a line of numbers for each row, then an empty line.
 * The cells of a row are separated by tabs: the column's name, "=", then S and a text, or D and a
 * double.
 */
public class EasyScore {
  private static final Map<String, EasyPredictModelWrapper> WRAPPERS = new HashMap<>();

  public static void main(String[] arguments) throws Exception {
    BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
    for (String line = in.readLine(); line != null; line = in.readLine()) {
      String[] asked = line.split("\t");
      if (!WRAPPERS.containsKey(asked[0])) {
        WRAPPERS.put(asked[0], wrapper(asked[0]));
      }
      for (String row : Files.readAllLines(Path.of(asked[1]))) {
        System.out.println(numbers(WRAPPERS.get(asked[0]).predict(row(row))));
      }
      System.out.println();
    }
  }

  private static EasyPredictModelWrapper wrapper(String name) throws Exception {
    return new EasyPredictModelWrapper(
        new EasyPredictModelWrapper.Config()
            .setModel(model(name))
            .setConvertUnknownCategoricalLevelsToNa(true));
  }

  private static GenModel model(String name) throws Exception {
    return name.endsWith(".zip")
        ? MojoModel.load(name)
        : (GenModel) Class.forName(name).getConstructor().newInstance();
  }

  private static RowData row(String line) {
    RowData row = new RowData();
    for (String cell : line.split("\t")) {
      int mark = cell.indexOf('=');
      String value = cell.substring(mark + 2);
      row.put(
          cell.substring(0, mark),
          cell.charAt(mark + 1) == 'D' ? (Object) Double.valueOf(value) : value);
    }
    return row;
  }

  private static String numbers(AbstractPrediction answer) {
    if (answer instanceof RegressionModelPrediction) {
      return joined(((RegressionModelPrediction) answer).value);
    }
    if (answer instanceof BinomialModelPrediction) {
      BinomialModelPrediction found = (BinomialModelPrediction) answer;
      String calibrated =
          found.calibratedClassProbabilities == null
              ? ""
              : " " + joined(found.calibratedClassProbabilities);
      return joined(found.classProbabilities) + calibrated;
    }
    if (answer instanceof MultinomialModelPrediction) {
      return joined(((MultinomialModelPrediction) answer).classProbabilities);
    }
    return joined(((AnomalyDetectionPrediction) answer).normalizedScore);
  }

  private static String joined(double... numbers) {
    StringBuilder line = new StringBuilder();
    for (double number : numbers) {
      line.append(line.length() == 0 ? "" : " ").append(number);
    }
    return line.toString();
  }
}
