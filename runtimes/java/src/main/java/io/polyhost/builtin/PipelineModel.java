package io.polyhost.builtin;

import io.polyhost.Column;
import io.polyhost.PredictorException;
import io.polyhost.Table;
import io.polyhost.load.ModelLoader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Predicate;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * A pipeline of Driverless AI. Its runtime is its vendor's, and lies beside the model: nothing of
 * it is known here but names.
 */
public final class PipelineModel implements BuiltIn {
  private static final String LICENSE_PROPERTY = "ai.h2o.mojos.runtime.license.file";
  private static final String[] LICENSE_VARIABLES = {
    "DRIVERLESS_AI_LICENSE_FILE", "DRIVERLESS_AI_LICENSE_KEY"
  };
  private static final String LICENSE_FILE = "license.sig";
  private static final Pattern BOUND = Pattern.compile("\\.(lower|upper)$");
  private static final DateTimeFormatter TIME =
      DateTimeFormatter.ofPattern("yyyy-MM-dd HH:mm:ss").withZone(ZoneOffset.UTC);

  private final PipelineRuntime runtime;
  private final ModelLoader loader;
  private final Object pipeline;
  private final String[] columns;
  private final String[] kinds;
  private final String[] outputs;
  private final String[] extras;
  private final int[] places;

  private PipelineModel(
      PipelineRuntime runtime, ModelLoader loader, Object pipeline, boolean intervals)
      throws PredictorException {
    this.runtime = runtime;
    this.loader = loader;
    this.pipeline = pipeline;
    this.columns = runtime.inputs(pipeline);
    this.kinds = runtime.kinds(pipeline);
    List<String> all = List.of(runtime.outputs(pipeline));
    Predicate<String> isBound = name -> intervals && BOUND.matcher(name).find();
    this.outputs = all.stream().filter(isBound.negate()).toArray(String[]::new);
    this.extras = all.stream().filter(isBound).toArray(String[]::new);
    this.places = Stream.of(outputs, extras).flatMap(Stream::of).mapToInt(all::indexOf).toArray();
  }

  /**
   * The pipeline in this file, read by the runtime among the loader's jars. With {@code intervals}
   * it also answers with the bounds of its prediction intervals, where it was built with them.
   */
  public static PipelineModel of(Path file, ModelLoader loader, boolean intervals)
      throws PredictorException {
    return within(
        loader,
        () -> {
          PipelineRuntime runtime = PipelineRuntime.of(file, loader);
          useLicense(file.resolveSibling(LICENSE_FILE));
          Object pipeline = runtime.load(file, intervals);
          return new PipelineModel(runtime, loader, pipeline, intervals);
        });
  }

  /** A licence beside the pipeline counts where no variable names another. */
  private static void useLicense(Path beside) {
    for (String variable : LICENSE_VARIABLES) {
      String value = System.getenv(variable);
      if (value != null && !value.isEmpty()) {
        return;
      }
    }
    if (Files.isRegularFile(beside)) {
      System.setProperty(LICENSE_PROPERTY, beside.toString());
    }
  }

  private interface Work<T> {
    T run() throws PredictorException;
  }

  /** The runtime looks for its own parts by the thread's loader. */
  private static <T> T within(ModelLoader loader, Work<T> work) throws PredictorException {
    Thread thread = Thread.currentThread();
    ClassLoader before = thread.getContextClassLoader();
    thread.setContextClassLoader(loader);
    try {
      return work.run();
    } finally {
      thread.setContextClassLoader(before);
    }
  }

  @Override
  public Object model() {
    return pipeline;
  }

  @Override
  public String framework() {
    return "driverless ai";
  }

  @Override
  public String[] columns() {
    return columns.clone();
  }

  @Override
  public String[] kinds() {
    return kinds.clone();
  }

  /** The names of the outputs, which hold the labels; empty when there is one output. */
  @Override
  public String[] labels() {
    return outputs.length > 1 ? outputs.clone() : new String[0];
  }

  @Override
  public String[] extras() {
    return extras.clone();
  }

  @Override
  public synchronized Table predict(Table rows) throws PredictorException {
    return within(loader, () -> table(runtime.transform(pipeline, cells(rows))));
  }

  /** The cells of the columns that the pipeline reads, row by row, as text; missing is null. */
  private String[][] cells(Table rows) {
    String[][] cells = new String[rows.rows()][columns.length];
    for (int i = 0; i < columns.length; i++) {
      int position = rows.names().indexOf(columns[i]);
      Column column = position < 0 ? null : rows.columns().get(position);
      for (int row = 0; column != null && row < cells.length; row++) {
        cells[row][i] = column.isMissing(row) ? null : text(column, row);
      }
    }
    return cells;
  }

  private static String text(Column column, int row) {
    return column.type() == Column.Type.TIME
        ? TIME.format(Instant.parse(column.text(row)))
        : column.text(row);
  }

  private Table table(double[][] scores) {
    List<Column> found = new ArrayList<>();
    for (int place : places) {
      found.add(Column.of(scores[place]));
    }
    List<String> names =
        new ArrayList<>(outputs.length > 1 ? List.of(outputs) : List.of("Predictions"));
    names.addAll(List.of(extras));
    return new Table(names, found);
  }
}
