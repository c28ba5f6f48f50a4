package io.polyhost.builtin;

import io.polyhost.PredictorException;
import io.polyhost.load.ModelLoader;
import java.io.File;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.nio.file.Path;
import java.util.Map;

/** The few calls of Driverless AI's runtime that scoring takes, found by name. */
final class PipelineRuntime {
  private static final String PACKAGE = "ai.h2o.mojos.runtime.";
  private static final String HOW =
      "Put mojo2-runtime.jar, which comes with the pipeline, beside it or in lib/, or name it in"
          + " DRUM_JAVA_CUSTOM_CLASS_PATH.";

  private static final Map<String, String> KINDS =
      Map.of(
          "Bool", "boolean", "Int32", "integer", "Int64", "integer", "Float32", "number", "Float64",
          "number", "Time64", "time");

  private final ClassLoader loader;
  private final Class<?> pipeline;
  private final Class<?> meta;
  private final Class<?> frame;
  private final Class<?> frameBuilder;
  private final Class<?> rowBuilder;

  private PipelineRuntime(ClassLoader loader) throws ClassNotFoundException {
    this.loader = loader;
    this.pipeline = loader.loadClass(PACKAGE + "MojoPipeline");
    this.meta = loader.loadClass(PACKAGE + "frame.MojoFrameMeta");
    this.frame = loader.loadClass(PACKAGE + "frame.MojoFrame");
    this.frameBuilder = loader.loadClass(PACKAGE + "frame.MojoFrameBuilder");
    this.rowBuilder = loader.loadClass(PACKAGE + "frame.MojoRowBuilder");
  }

  /** The runtime that this loader has, for a pipeline that needs it. */
  static PipelineRuntime of(Path file, ModelLoader loader) throws PredictorException {
    try {
      return new PipelineRuntime(loader);
    } catch (ClassNotFoundException | LinkageError missing) {
      throw PredictorException.load(
          String.format(
              "%s is a Driverless AI pipeline, which needs its vendor's runtime: expected the class"
                  + " %sMojoPipeline in a jar; found %s. %s",
              file.getFileName(), PACKAGE, jars(loader), HOW),
          missing);
    }
  }

  private static String jars(ModelLoader loader) {
    StringBuilder names = new StringBuilder();
    for (java.net.URL url : loader.getURLs()) {
      String path = url.getPath();
      names
          .append(names.length() == 0 ? "" : ", ")
          .append(path.substring(path.lastIndexOf('/') + 1));
    }
    return names.length() == 0 ? "no jar" : names.toString();
  }

  /** The pipeline in a file, which answers with prediction intervals too where it is asked to. */
  Object load(Path file, boolean intervals) throws PredictorException {
    try {
      return intervals
          ? loadWithIntervals(file)
          : pipeline.getMethod("loadFrom", String.class).invoke(null, file.toString());
    } catch (InvocationTargetException failed) {
      throw unread(file, failed.getCause());
    } catch (ReflectiveOperationException unknown) {
      throw PredictorException.load("the pipeline's runtime is another than expected", unknown);
    }
  }

  private Object loadWithIntervals(Path file) throws ReflectiveOperationException {
    Class<?> config = loader.loadClass(PACKAGE + "api.PipelineConfig");
    Object builder = config.getMethod("builder").invoke(null);
    Class<?> builders = builder.getClass();
    builders.getMethod("withPredictionInterval", boolean.class).invoke(builder, true);
    Object wanted = builders.getMethod("build").invoke(builder);
    return loader
        .loadClass(PACKAGE + "api.MojoPipelineService")
        .getMethod("loadPipeline", File.class, config)
        .invoke(null, file.toFile(), wanted);
  }

  private static PredictorException unread(Path file, Throwable cause) {
    boolean license = cause.getClass().getName().startsWith(PACKAGE + "lic.");
    String how =
        license
            ? " Give a licence: in license.sig beside the pipeline, or by"
                + " DRIVERLESS_AI_LICENSE_FILE or DRIVERLESS_AI_LICENSE_KEY."
            : "";
    return PredictorException.load(
        String.format(
            "%s cannot be loaded: %s: %s.%s",
            file.getFileName(), cause.getClass().getSimpleName(), firstLine(cause), how),
        cause);
  }

  private static String firstLine(Throwable cause) {
    return String.valueOf(cause.getMessage()).split("\\R", 2)[0];
  }

  /** Names of the columns that a pipeline reads. */
  String[] inputs(Object model) throws PredictorException {
    return (String[]) call(meta, "getColumnNames", call(pipeline, "getInputMeta", model));
  }

  /** Names of the columns that it gives. */
  String[] outputs(Object model) throws PredictorException {
    return (String[]) call(meta, "getColumnNames", call(pipeline, "getOutputMeta", model));
  }

  /** What the cells of the columns that it reads are, as {@link BuiltIn#kinds} names it. */
  String[] kinds(Object model) throws PredictorException {
    Object[] types = (Object[]) call(meta, "getColumnTypes", call(pipeline, "getInputMeta", model));
    String[] kinds = new String[types.length];
    for (int i = 0; i < types.length; i++) {
      kinds[i] = KINDS.getOrDefault(types[i].toString(), "text");
    }
    return kinds;
  }

  /**
   * What a pipeline makes of rows of text cells, in the order of its inputs: one array for each of
   * its outputs.
   */
  double[][] transform(Object model, String[][] rows) throws PredictorException {
    Object builder = call(pipeline, "getInputFrameBuilder", model);
    Object row = call(frameBuilder, "getMojoRowBuilder", builder);
    Method set = method(rowBuilder, "setValue", int.class, String.class);
    Method add = method(frameBuilder, "addRow", rowBuilder);
    for (int number = 0; number < rows.length; number++) {
      fill(set, row, rows[number], number);
      row = invoke(add, builder, row);
    }
    Object input = call(frameBuilder, "toMojoFrame", builder);
    Object output = invoke(method(pipeline, "transform", frame), model, input);
    Method data = method(frame, "getColumnData", int.class);
    double[][] scores = new double[(Integer) call(frame, "getNcols", output)][];
    for (int i = 0; i < scores.length; i++) {
      scores[i] = numbers(invoke(data, output, i));
    }
    return scores;
  }

  private static void fill(Method set, Object row, String[] cells, int number)
      throws PredictorException {
    for (int i = 0; i < cells.length; i++) {
      try {
        if (cells[i] != null) {
          invoke(set, row, i, cells[i]);
        }
      } catch (IllegalArgumentException unfit) {
        throw PredictorException.schema(
            String.format(
                "row %d, input %d of the pipeline cannot take '%s': %s",
                number + 1, i + 1, cells[i], unfit.getMessage()));
      }
    }
  }

  private static double[] numbers(Object data) throws PredictorException {
    if (data instanceof double[]) {
      return (double[]) data;
    }
    if (!(data instanceof float[])) {
      throw PredictorException.output(
          "the pipeline's output is no number: expected double or float; found "
              + data.getClass().getSimpleName());
    }
    float[] narrow = (float[]) data;
    double[] wide = new double[narrow.length];
    for (int i = 0; i < wide.length; i++) {
      wide[i] = narrow[i];
    }
    return wide;
  }

  private static Method method(Class<?> type, String name, Class<?>... parameters)
      throws PredictorException {
    try {
      return type.getMethod(name, parameters);
    } catch (NoSuchMethodException unknown) {
      throw PredictorException.load(
          "the pipeline's runtime is another than expected: it lacks " + unknown.getMessage());
    }
  }

  private static Object call(Class<?> type, String name, Object target) throws PredictorException {
    return invoke(method(type, name), target);
  }

  /** Call the runtime; what it throws comes out as it is, or as our error when it is checked. */
  private static Object invoke(Method method, Object target, Object... arguments)
      throws PredictorException {
    try {
      return method.invoke(target, arguments);
    } catch (IllegalAccessException closed) {
      throw PredictorException.load("the pipeline's runtime is another than expected", closed);
    } catch (InvocationTargetException failed) {
      Throwable cause = failed.getCause();
      if (cause instanceof RuntimeException) {
        throw (RuntimeException) cause;
      }
      if (cause instanceof Error) {
        throw (Error) cause;
      }
      throw PredictorException.output("the pipeline failed: " + cause);
    }
  }
}
