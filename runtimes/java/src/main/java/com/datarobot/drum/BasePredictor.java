package com.datarobot.drum;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;

/**
 * A predictor of a model author's own making, as DRUM knows it: name and methods are DRUM's, so
 * that jars compiled against its class link to this one.
 *
 * <p>Order: the constructor, {@link #configure} once, then one of the predict methods for each
 * request. Models written for polyhost implement {@link io.polyhost.Hooks} instead.
 */
public abstract class BasePredictor {
  /** What the constructor was given; null when polyhost made the predictor. */
  protected String name;

  /** Subclasses have a public constructor with this one argument. */
  public BasePredictor(String name) {
    this.name = name;
  }

  /** Give the predictor another name. */
  public BasePredictor setName(String newName) {
    this.name = newName;
    return this;
  }

  /** Load the model; {@code __custom_model_path__} is its folder. */
  public abstract void configure(Map<String, Object> params) throws Exception;

  /** Predict the rows of a CSV: a CSV with class labels or {@code Predictions} as its header. */
  public abstract String predict(byte[] inputBytes) throws Exception;

  /** Answer an unstructured request with a {@code String}, a {@code byte[]} or null. */
  public abstract <T> T predictUnstructured(
      byte[] inputBytes, String mimetype, String charset, Map<String, String> query)
      throws Exception;

  /**
   * Predict the rows of a CSV file. A file that cannot be read is reported on stderr and gives
   * null.
   */
  public String predictCSV(String inputFilename) throws Exception {
    byte[] rows;
    try {
      rows = Files.readAllBytes(Path.of(inputFilename));
    } catch (IOException unreadable) {
      System.err.println("cannot read " + inputFilename + ": " + unreadable);
      return null;
    }
    return predict(rows);
  }
}
