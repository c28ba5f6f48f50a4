package io.polyhost.load;

import java.io.PrintWriter;
import java.io.StringWriter;
import java.lang.reflect.InvocationTargetException;

/** What is reported of a throwable, as texts. */
public final class Failure {
  private Failure() {}

  /** Type, message, stack trace and place ({@code file:line} in the model's code; else ""). */
  public static String[] describe(Throwable thrown) {
    Throwable real = thrown;
    while (isWrapper(real) && real.getCause() != null) {
      real = real.getCause();
    }
    String message = real.getMessage() == null ? "" : real.getMessage();
    return new String[] {real.getClass().getName(), message, trace(real), place(real)};
  }

  private static boolean isWrapper(Throwable thrown) {
    return thrown instanceof InvocationTargetException
        || thrown instanceof ExceptionInInitializerError;
  }

  private static String trace(Throwable thrown) {
    StringWriter text = new StringWriter();
    thrown.printStackTrace(new PrintWriter(text, true));
    return text.toString();
  }

  private static String place(Throwable thrown) {
    for (StackTraceElement frame : thrown.getStackTrace()) {
      if (ModelLoader.NAME.equals(frame.getClassLoaderName()) && frame.getFileName() != null) {
        return frame.getFileName() + ":" + frame.getLineNumber();
      }
    }
    return "";
  }
}
