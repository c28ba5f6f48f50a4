package io.polyhost;

/** Thrown by a hook to answer the request with an HTTP status of its own choice. */
public class HttpStatusException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  private final int status;

  /** An answer of this status whose body holds the message. */
  public HttpStatusException(int status, String message) {
    super(message);
    this.status = status;
  }

  /** The HTTP status to answer with. */
  public int status() {
    return status;
  }
}
