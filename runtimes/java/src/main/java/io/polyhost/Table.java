package io.polyhost;

import java.util.ArrayList;
import java.util.List;

/** Named columns of equal length. Names may repeat; order matters. Never changed once made. */
public final class Table {
  private final List<String> names;
  private final List<Column> columns;
  private final int rows;

  /** A table of these columns, which must be as many as the names and all of one length. */
  public Table(List<String> names, List<Column> columns) {
    if (names.size() != columns.size()) {
      throw new IllegalArgumentException(
          names.size() + " names for " + columns.size() + " columns");
    }
    this.names = List.copyOf(names);
    this.columns = List.copyOf(columns);
    this.rows = columns.isEmpty() ? 0 : columns.get(0).size();
    for (int i = 0; i < columns.size(); i++) {
      if (columns.get(i).size() != rows) {
        throw new IllegalArgumentException(
            String.format(
                "columns of different lengths: '%s' has %d rows, '%s' has %d",
                names.get(0), rows, names.get(i), columns.get(i).size()));
      }
    }
  }

  /** A table of one column of numbers; add others with {@link #with}. */
  public static Table of(String name, double... values) {
    return of(name, Column.of(values));
  }

  /** A table of one column of texts; add others with {@link #with}. */
  public static Table of(String name, String... values) {
    return of(name, Column.of(values));
  }

  /** A table of one column; add others with {@link #with}. */
  public static Table of(String name, Column column) {
    return new Table(List.of(name), List.of(column));
  }

  /**
   * Read a CSV with a header, in UTF-8: commas, cells quoted with {@code "} where needed, empty
   * lines skipped. Every cell is text as it stands there; an empty cell is the empty text.
   */
  public static Table readCsv(byte[] csv) throws PredictorException {
    return CsvReader.read(csv);
  }

  /** How many rows there are. */
  public int rows() {
    return rows;
  }

  /** Names of the columns, in order. */
  public List<String> names() {
    return names;
  }

  /** The columns, in order. */
  public List<Column> columns() {
    return columns;
  }

  /** True when there is a column of that name. */
  public boolean has(String name) {
    return names.contains(name);
  }

  /**
   * The first column of that name.
   *
   * @throws IllegalArgumentException when there is none
   */
  public Column column(String name) {
    int position = names.indexOf(name);
    if (position < 0) {
      throw new IllegalArgumentException(
          "no column '" + name + "': the table has " + String.join(", ", names));
    }
    return columns.get(position);
  }

  /**
   * The cells of a column as numbers; a missing or blank one is NaN.
   *
   * @throws IllegalArgumentException when there is no such column, or a cell is no number
   */
  public double[] numbers(String name) {
    Column column = column(name);
    try {
      return column.numbers();
    } catch (NumberFormatException wrong) {
      throw new IllegalArgumentException(
          "column '" + name + "' is not all numbers: " + wrong.getMessage(), wrong);
    }
  }

  /** The cells of a column as texts, just as they came where they came as text. */
  public String[] texts(String name) {
    return column(name).texts();
  }

  /** A table with this column besides: in the place of the first of that name, else at the end. */
  public Table with(String name, Column column) {
    List<String> newNames = new ArrayList<>(names);
    List<Column> newColumns = new ArrayList<>(columns);
    int position = names.indexOf(name);
    if (position < 0) {
      newNames.add(name);
      newColumns.add(column);
    } else {
      newColumns.set(position, column);
    }
    return new Table(newNames, newColumns);
  }

  /** As {@link #with(String, Column)}, with a column of numbers. */
  public Table with(String name, double... values) {
    return with(name, Column.of(values));
  }

  /** As {@link #with(String, Column)}, with a column of texts. */
  public Table with(String name, String... values) {
    return with(name, Column.of(values));
  }

  /** A table of these columns only, in this order. */
  public Table select(String... wanted) {
    List<Column> chosen = new ArrayList<>();
    for (String name : wanted) {
      chosen.add(column(name));
    }
    return new Table(List.of(wanted), chosen);
  }

  @Override
  public String toString() {
    return "Table(" + rows + " rows: " + String.join(", ", names) + ")";
  }
}
