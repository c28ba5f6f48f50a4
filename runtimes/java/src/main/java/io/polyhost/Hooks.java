package io.polyhost;

import java.nio.file.Path;

/**
 * What a model's author may define, in {@code Custom.java} or {@code custom.jar}.
 *
 * <p>Every method is optional: one that is not overridden is not called, and the model works as if
 * it were not there. The names are the same in every language polyhost hosts, spelled here as Java
 * spells names: {@code read_input_data} is {@link #readInputData}.
 *
 * <p>Order: {@link #init} and {@link #loadModel} once; then, for each request, {@link
 * #readInputData}, {@link #transform}, {@link #score} (or the artifact's own predict) and {@link
 * #postProcess}. An unstructured model has {@link #scoreUnstructured} instead of those four. One
 * instance serves one model, and one thread calls it at a time. What a method throws reaches the
 * caller with its type, message and place; {@link HttpStatusException} chooses an HTTP status.
 */
public interface Hooks {

  /** Prepare the process: called first, once, with the model's folder. */
  default void init(Path codeDir) throws Exception {
    throw PredictorException.unsupported("init");
  }

  /**
   * Load the model; every other hook is given what this returns. Without this hook the artifact of
   * the folder is loaded.
   */
  default Object loadModel(Path codeDir) throws Exception {
    throw PredictorException.unsupported("load_model");
  }

  /** Parse the request's bytes. Without this hook they are read as {@link Table#readCsv} would. */
  default Table readInputData(byte[] body) throws Exception {
    throw PredictorException.unsupported("read_input_data");
  }

  /** Change the rows before they are scored; a model of type {@code transform} answers with it. */
  default Table transform(Table rows, Object model) throws Exception {
    throw PredictorException.unsupported("transform");
  }

  /**
   * Predict: one row out for each row in. A classifier names its columns after its class labels;
   * every other type returns one column, or {@code Predictions} and extra columns.
   */
  default Table score(Table rows, Object model, Target target) throws Exception {
    throw PredictorException.unsupported("score");
  }

  /** Change the predictions, which have been checked and named by then. */
  default Table postProcess(Table predictions, Object model) throws Exception {
    throw PredictorException.unsupported("post_process");
  }

  /** Answer a request that is no table; null is an empty answer. */
  default Reply scoreUnstructured(Object model, Request request) throws Exception {
    throw PredictorException.unsupported("score_unstructured");
  }

  /** Train, and leave in {@code outputDir} what {@link #loadModel}, or polyhost, can load. */
  default void fit(Training training, Path outputDir) throws Exception {
    throw PredictorException.unsupported("fit");
  }
}
