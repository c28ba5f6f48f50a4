package io.polyhost.load;

import com.datarobot.drum.BasePredictor;
import io.polyhost.PredictorException;
import io.polyhost.Reply;
import io.polyhost.Request;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.Callable;

/** A predictor class that a model's author names, which extends {@link BasePredictor}. */
public final class CustomPredictor {
  /** Bodies above this many bytes go through a file, where the class reads files in its own way. */
  static final int LARGEST_BODY = 33 * 1024;

  private static final String UTF8 = "utf-8";

  private final BasePredictor predictor;
  private final boolean readsFiles;

  /** A predictor that exists already. */
  public CustomPredictor(BasePredictor predictor) {
    this.predictor = predictor;
    this.readsFiles = overridesPredictCsv(predictor.getClass());
  }

  /** Make an instance of this class; its constructor is given null. */
  public static CustomPredictor of(String name, ModelLoader loader) throws Exception {
    Class<?> type = find(name, loader);
    if (!BasePredictor.class.isAssignableFrom(type)) {
      throw PredictorException.load(
          String.format(
              "class %s is no predictor: expected it to extend %s; found that it extends %s",
              name, BasePredictor.class.getName(), type.getSuperclass()));
    }
    try {
      return GuestHooks.within(
          loader,
          () ->
              new CustomPredictor(
                  (BasePredictor)
                      type.getConstructor(String.class).newInstance(new Object[] {null})));
    } catch (NoSuchMethodException | IllegalAccessException | InstantiationException unfit) {
      throw PredictorException.load(
          String.format(
              "class %s cannot be made: expected a public class that is not abstract, with a"
                  + " public constructor that takes one String",
              name));
    }
  }

  private static Class<?> find(String name, ModelLoader loader) throws PredictorException {
    try {
      return Class.forName(name, false, loader);
    } catch (ClassNotFoundException absent) {
      throw PredictorException.load(
          String.format(
              "there is no class %s: expected it on the model's class path; found %s there",
              name, Arrays.toString(loader.getURLs())));
    } catch (LinkageError broken) {
      throw PredictorException.load("class " + name + " cannot be linked: " + broken, broken);
    }
  }

  private static boolean overridesPredictCsv(Class<?> type) {
    try {
      return type.getMethod("predictCSV", String.class).getDeclaringClass() != BasePredictor.class;
    } catch (NoSuchMethodException impossible) {
      throw new IllegalStateException(impossible); // the class extends ours
    }
  }

  /** Call {@code configure}. */
  public void configure(Map<String, Object> params) throws Exception {
    call(
        () -> {
          predictor.configure(new HashMap<>(params));
          return null;
        });
  }

  /** The answer to a CSV, as CSV text. */
  public String predict(byte[] rows) throws Exception {
    boolean throughFile = readsFiles && rows.length > LARGEST_BODY;
    String answer = call(() -> throughFile ? predictFile(rows) : predictor.predict(rows));
    if (answer == null) {
      throw PredictorException.output(
          (throughFile ? "predictCSV" : "predict")
              + " returned null: expected CSV text with class labels or Predictions as header");
    }
    return answer;
  }

  private String predictFile(byte[] rows) throws Exception {
    Path file = Files.createTempFile("polyhost-rows", ".csv");
    try {
      Files.write(file, rows);
      return predictor.predictCSV(file.toString());
    } finally {
      Files.deleteIfExists(file);
    }
  }

  /** The answer to an unstructured request; its text goes over as bytes in its own charset. */
  public Reply predictUnstructured(Request request) throws Exception {
    String mimetype = request.mimetype() == null ? "" : request.mimetype();
    String charset = request.charset() == null ? UTF8 : request.charset();
    Map<String, String> query = new HashMap<>(request.query());
    Object answer =
        call(
            () -> predictor.<Object>predictUnstructured(request.bytes(), mimetype, charset, query));
    if (answer == null) {
      return Reply.empty();
    }
    if (answer instanceof String) {
      return Reply.text((String) answer);
    }
    if (answer instanceof byte[]) {
      return Reply.bytes((byte[]) answer);
    }
    throw PredictorException.output(
        "predictUnstructured must return a String, a byte[] or null; found "
            + answer.getClass().getName());
  }

  private <T> T call(Callable<T> body) throws Exception {
    return GuestHooks.within(predictor.getClass().getClassLoader(), body);
  }
}
