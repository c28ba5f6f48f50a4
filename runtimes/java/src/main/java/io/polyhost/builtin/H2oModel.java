package io.polyhost.builtin;

import hex.ModelCategory;
import hex.genmodel.CategoricalEncoding;
import hex.genmodel.ConverterFactoryProvidingModel;
import hex.genmodel.GenModel;
import hex.genmodel.MojoModel;
import io.polyhost.Column;
import io.polyhost.PredictorException;
import io.polyhost.Table;
import io.polyhost.load.ModelLoader;
import io.polyhost.load.SourceCompiler;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.regex.Pattern;

/** A model of H2O, exported as a MOJO or as a POJO. */
public final class H2oModel implements BuiltIn {
  private static final Set<ModelCategory> CLASSIFIERS =
      EnumSet.of(ModelCategory.Binomial, ModelCategory.Multinomial, ModelCategory.Ordinal);
  private static final Set<ModelCategory> SINGLE =
      EnumSet.of(ModelCategory.Regression, ModelCategory.AnomalyDetection);
  private static final String[] LABELS_OF_NUMBERS = {"0", "1"};
  private static final String[] PREDICTIONS = {"Predictions"};
  private static final String MEAN_LENGTH = "mean_length";
  private static final Pattern WHOLE = Pattern.compile("[+-]?[0-9]+");

  private final GenModel model;
  private final ModelCategory category;
  private final String[] columns;
  private final String[][] domains;
  private final String offset;
  private final String[] labels;
  private final String[] extras;

  private H2oModel(GenModel model, boolean withExtras) throws PredictorException {
    this.model = model;
    this.category = model.getModelCategory();
    if (!CLASSIFIERS.contains(category) && !SINGLE.contains(category)) {
      throw PredictorException.load(
          String.format(
              "an H2O model of category %s cannot be served: expected Regression, Binomial,"
                  + " Multinomial, Ordinal or AnomalyDetection",
              category));
    }
    boolean encoded = model.getCategoricalEncoding() != CategoricalEncoding.AUTO;
    String[] features =
        encoded ? Arrays.copyOf(model.getOrigNames(), model.getOrigNumCols()) : model.features();
    String[][] all = encoded ? model.getOrigDomainValues() : model.getDomainValues();
    this.offset = model.getOffsetName();
    this.columns = offset == null ? features : append(features, offset);
    this.domains = Arrays.copyOf(Arrays.copyOf(all, features.length), columns.length);
    this.labels = CLASSIFIERS.contains(category) ? labels(model) : new String[0];
    this.extras = withExtras ? extras(model, category, labels) : new String[0];
  }

  /** Read a MOJO: a {@code .zip} file; {@code extras} asks for {@link #extras}. */
  public static H2oModel ofMojo(Path zip, boolean extras) throws PredictorException {
    try {
      return new H2oModel(MojoModel.load(zip.toString()), extras);
    } catch (IOException | RuntimeException broken) {
      throw PredictorException.load(
          String.format(
              "%s is no H2O MOJO that can be read: %s", zip.getFileName(), reason(broken)),
          broken);
    }
  }

  /** Compile a POJO: a {@code .java} file; {@code extras} asks for {@link #extras}. */
  public static H2oModel ofPojo(Path source, ModelLoader loader, boolean extras)
      throws PredictorException {
    Class<?> type = SourceCompiler.compile(source, loader);
    if (!GenModel.class.isAssignableFrom(type)) {
      throw PredictorException.load(
          String.format(
              "%s is no H2O POJO: expected class %s to extend %s. Hooks of your own belong in"
                  + " Custom.java",
              source.getFileName(), type.getName(), GenModel.class.getName()));
    }
    try {
      return new H2oModel((GenModel) type.getConstructor().newInstance(), extras);
    } catch (ReflectiveOperationException | LinkageError broken) {
      throw PredictorException.load(
          source.getFileName() + " cannot be made: " + reason(broken), broken);
    }
  }

  private static String reason(Throwable broken) {
    Throwable cause = broken.getCause() == null ? broken : broken.getCause();
    return cause.getMessage() == null ? cause.toString() : cause.getMessage();
  }

  private static String[] labels(GenModel model) {
    String[] domain = model.getDomainValues(model.getResponseIdx());
    return domain == null ? LABELS_OF_NUMBERS : domain;
  }

  /** Names as H2O gives them: {@code cal_} and the class, {@code cal_p1} for the class 1. */
  private static String[] extras(GenModel model, ModelCategory category, String[] labels) {
    if (category == ModelCategory.AnomalyDetection) {
      return new String[] {MEAN_LENGTH};
    }
    double[] even = {0, 0.5, 0.5};
    if (category != ModelCategory.Binomial || !model.calibrateClassProbabilities(even)) {
      return new String[0];
    }
    String[] names = new String[labels.length];
    for (int i = 0; i < names.length; i++) {
      names[i] = "cal_" + (WHOLE.matcher(labels[i]).matches() ? "p" : "") + labels[i];
    }
    return names;
  }

  private static String[] append(String[] names, String name) {
    String[] longer = Arrays.copyOf(names, names.length + 1);
    longer[names.length] = name;
    return longer;
  }

  @Override
  public GenModel model() {
    return model;
  }

  @Override
  public String framework() {
    String algorithm = model instanceof MojoModel ? ((MojoModel) model)._algoName : "pojo";
    return "h2o " + String.valueOf(algorithm).toLowerCase(Locale.ROOT);
  }

  /** H2O's name for what the model answers. */
  public String category() {
    return category.name();
  }

  /** The columns the model reads; the offset, where it has one, is the last. */
  @Override
  public String[] columns() {
    return columns.clone();
  }

  /** For each of the columns its levels, or null for numbers. */
  public String[][] domains() {
    return domains.clone();
  }

  @Override
  public String[] kinds() {
    String[] kinds = new String[columns.length];
    for (int i = 0; i < kinds.length; i++) {
      kinds[i] = domains[i] == null ? "number" : "category";
    }
    return kinds;
  }

  boolean isCategory(String column) {
    int position = Arrays.asList(columns).indexOf(column);
    return position >= 0 && domains[position] != null;
  }

  @Override
  public String[] labels() {
    return labels.clone();
  }

  /**
   * True when a row of doubles is all the model needs: numbers, and positions of levels. Otherwise
   * H2O's own wrapper converts each row, through {@link #predict}.
   */
  public boolean takesRows() {
    return model.getCategoricalEncoding() == CategoricalEncoding.AUTO
        && !(model instanceof ConverterFactoryProvidingModel)
        && !(model instanceof hex.genmodel.algos.gam.GamMojoModelBase);
  }

  @Override
  public String[] extras() {
    return extras.clone();
  }

  /** How many numbers the model answers with for one row: its predictions, then its extras. */
  public int width() {
    return predictions() + extras.length;
  }

  private int predictions() {
    return labels.length == 0 ? 1 : labels.length;
  }

  @Override
  public Table predict(Table rows) throws PredictorException {
    for (String column : columns) {
      if (!rows.has(column)) {
        throw PredictorException.schema(
            String.format(
                "column '%s', which the model reads, is missing: found %s",
                column, String.join(", ", rows.names())));
      }
    }
    double[] scores = new double[rows.rows() * width()];
    new WrapperScorer(this).score(rows, scores);
    return table(scores, rows.rows());
  }

  private Table table(double[] scores, int rows) {
    List<String> names = new ArrayList<>(List.of(labels.length == 0 ? PREDICTIONS : labels));
    names.addAll(List.of(extras));
    List<Column> predictions = new ArrayList<>();
    for (int column = 0; column < width(); column++) {
      double[] values = new double[rows];
      for (int row = 0; row < rows; row++) {
        values[row] = scores[row * width() + column];
      }
      predictions.add(Column.of(values));
    }
    return new Table(names, predictions);
  }

  /** A scorer of rows of doubles, for one thread. */
  RowScorer rowScorer() {
    return new RowScorer(modelForThread(), this);
  }

  /** The model itself, or a copy where it keeps state between calls. */
  @SuppressWarnings("deprecation") // H2O means it for its own use, and offers nothing else
  GenModel modelForThread() {
    return model.internal_threadSafeInstance();
  }

  /**
   * Put the wanted numbers of one answer of H2O at a place. A classifier's first number is its
   * label, and calibration takes the place of the probabilities.
   */
  void write(GenModel by, double[] answer, double[] out, int place) {
    int first = labels.length == 0 ? 0 : 1;
    System.arraycopy(answer, first, out, place, predictions());
    if (extras.length > 0 && labels.length > 0) {
      double[] calibrated = answer.clone();
      by.calibrateClassProbabilities(calibrated);
      System.arraycopy(calibrated, first, out, place + predictions(), extras.length);
    } else if (extras.length > 0) {
      out[place + 1] = answer[1];
    }
  }

  /** How long what H2O answers is. */
  int outputs() {
    return model.getPredsSize(category);
  }

  String offset() {
    return offset;
  }
}
