package io.polyhost;

/** Something polyhost itself found wrong, by who must act. */
public final class PredictorException extends Exception {
  private static final long serialVersionUID = 1L;

  /** What is wrong. */
  public enum Kind {
    /** The artifact or the custom file cannot be loaded. */
    LOAD,
    /** The columns of a request do not fit the model. */
    SCHEMA,
    /** A hook returned something that is no answer. */
    OUTPUT,
    /** The Java installation lacks something. */
    RUNTIME,
    /** The model does not do this. */
    UNSUPPORTED,
  }

  private final Kind kind;
  private final String location;

  private PredictorException(Kind kind, String message, String location, Throwable cause) {
    super(message, cause);
    this.kind = kind;
    this.location = location;
  }

  /** The artifact or the custom file cannot be loaded. */
  public static PredictorException load(String message) {
    return new PredictorException(Kind.LOAD, message, null, null);
  }

  /** The artifact or the custom file cannot be loaded, because of another exception. */
  public static PredictorException load(String message, Throwable cause) {
    return new PredictorException(Kind.LOAD, message, null, cause);
  }

  /** A source does not compile; {@code location} is {@code file:line}, or null. */
  public static PredictorException compile(String message, String location) {
    return new PredictorException(Kind.LOAD, message, location, null);
  }

  /** The columns of a request do not fit the model. */
  public static PredictorException schema(String message) {
    return new PredictorException(Kind.SCHEMA, message, null, null);
  }

  /** A hook returned something that is no answer. */
  public static PredictorException output(String message) {
    return new PredictorException(Kind.OUTPUT, message, null, null);
  }

  /** The Java installation lacks something. */
  public static PredictorException runtime(String message) {
    return new PredictorException(Kind.RUNTIME, message, null, null);
  }

  /** The hook, named as polyhost names it, is not defined. */
  public static PredictorException unsupported(String hook) {
    String message = "the model does not define the hook " + hook;
    return new PredictorException(Kind.UNSUPPORTED, message, null, null);
  }

  /** What is wrong. */
  public Kind kind() {
    return kind;
  }

  /** Where in the model's source, as {@code file:line}; null when it is not known. */
  public String location() {
    return location;
  }
}
