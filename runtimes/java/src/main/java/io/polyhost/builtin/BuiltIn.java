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

  /** For each of the columns: true for numbers, false for texts. */
  boolean[] numeric();

  /** Class labels in the model's own order; empty when it is no classifier. */
  String[] labels();

  /** One row of predictions for each row: a column for each label, else {@code Predictions}. */
  Table predict(Table rows) throws PredictorException;
}
