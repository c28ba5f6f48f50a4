package io.polyhost;

import java.util.Arrays;

/**
 * The cells of one column, all of one type. Never changed once made: an array that is given belongs
 * to the column, and one that is handed out is to be read only.
 */
public abstract class Column {

  /** What the cells are. */
  public enum Type {
    /** {@code double}; missing is NaN. */
    NUMBER,
    /** {@code long}; never missing. */
    INTEGER,
    /** {@code Boolean}; missing is null. */
    BOOLEAN,
    /** {@code String}; missing is null. */
    TEXT,
    /** Nanoseconds since 1970-01-01 UTC; missing is {@link Long#MIN_VALUE}. */
    TIME,
  }

  private final Type type;
  private final int size;

  Column(Type type, int size) {
    this.type = type;
    this.size = size;
  }

  /** A column of numbers. */
  public static Column of(double... values) {
    return new NumberColumn(values);
  }

  /** A column of whole numbers. */
  public static Column of(long... values) {
    return new IntegerColumn(values);
  }

  /** A column of truth values. */
  public static Column of(Boolean... values) {
    return new BooleanColumn(values);
  }

  /** A column of texts. */
  public static Column of(String... values) {
    return new TextColumn(values);
  }

  /** A column of times, in nanoseconds since 1970-01-01 UTC. */
  public static Column ofTimes(long... nanoseconds) {
    return new TimeColumn(nanoseconds);
  }

  /** What the cells are. */
  public final Type type() {
    return type;
  }

  /** How many cells there are. */
  public final int size() {
    return size;
  }

  /** True when the cell holds nothing. */
  public abstract boolean isMissing(int row);

  /** The cell as text, as it came where it came as text; null when it is missing. */
  public abstract String text(int row);

  /**
   * The cell as a number; NaN when it is missing or blank.
   *
   * @throws NumberFormatException when it is a text that is no number
   */
  public abstract double number(int row);

  /** Every cell as a number, as {@link #number} gives it. */
  public double[] numbers() {
    double[] numbers = new double[size];
    Arrays.setAll(numbers, this::number);
    return numbers;
  }

  /** Every cell as text, as {@link #text} gives it. */
  public String[] texts() {
    String[] texts = new String[size];
    Arrays.setAll(texts, this::text);
    return texts;
  }
}
