package io.polyhost.builtin;

import io.polyhost.PredictorException;
import io.polyhost.Table;

/** A model that predicts by itself. Any number of threads may call it. */
public interface BuiltIn {

  /** The model in its own library's type, as hooks are given it. */
  Object model();

  /** The library, and the algorithm where it is known: {@code h2o gbm}. */
  String framework();

  /** Names of the columns the model reads; empty when it does not say. */
  String[] columns();

  /**
   * For each of the columns what its cells are: {@code number}, {@code integer}, {@code boolean},
   * {@code text}, {@code time} or {@code category}.
   */
  String[] kinds();

  /** Class labels in the model's own order; empty when it is no classifier. */
  String[] labels();

  /**
   * Names of what the model can answer beside its predictions, such as calibrated probabilities;
   * empty when there is nothing.
   */
  default String[] extras() {
    return new String[0];
  }

  /**
   * One row of predictions for each row: a column for each label, else {@code Predictions}; then a
   * column for each of the {@link #extras}. The cells of a category are texts.
   */
  Table predict(Table rows) throws PredictorException;
}
