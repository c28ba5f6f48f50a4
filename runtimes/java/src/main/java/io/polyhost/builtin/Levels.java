package io.polyhost.builtin;

import io.polyhost.Column;
import java.util.HashMap;
import java.util.Map;

/**
 * How one column of an H2O model is read: a number, or the position of a level in the column's
 * domain. NaN is what a missing cell, a text that is no number, or an unknown level becomes.
 */
final class Levels {
  private static final String[] TRUE = {"true", "True", "TRUE", "1"};
  private static final String[] FALSE = {"false", "False", "FALSE", "0"};

  private final String name;
  private final Map<String, Double> positions;

  /** The levels of a column; a null domain is a column of numbers. */
  Levels(String name, String[] domain) {
    this.name = name;
    this.positions = domain == null ? null : new HashMap<>();
    for (int i = 0; domain != null && i < domain.length; i++) {
      positions.put(domain[i], (double) i);
    }
  }

  double[] codes(Column column) {
    if (isNumeric() && column.type() != Column.Type.TEXT) {
      return column.numbers();
    }
    double[] codes = new double[column.size()];
    for (int row = 0; row < codes.length; row++) {
      codes[row] = code(column, row);
    }
    return codes;
  }

  boolean isNumeric() {
    return positions == null;
  }

  private double code(Column column, int row) {
    if (column.isMissing(row)) {
      return Double.NaN;
    }
    if (isNumeric()) {
      return parse(column.text(row));
    }
    switch (column.type()) {
      case NUMBER:
        return first(column.text(row), whole(column.number(row)));
      case BOOLEAN:
        return first(column.number(row) == 1 ? TRUE : FALSE);
      default:
        return first(column.text(row));
    }
  }

  /** A text as a number, by the rule of H2O's own wrapper: trimmed, as Java reads doubles. */
  static double parse(String text) {
    try {
      return text.isBlank() ? Double.NaN : Double.parseDouble(text.trim());
    } catch (NumberFormatException unusable) {
      return Double.NaN;
    }
  }

  private static String whole(double number) {
    return number == Math.rint(number) ? Long.toString((long) number) : "";
  }

  /** The first of these spellings that is a level, alone or after the column's name and a dot. */
  private double first(String... spellings) {
    for (String spelling : spellings) {
      Double position = positions.get(spelling);
      position = position == null ? positions.get(name + "." + spelling) : position;
      if (position != null) {
        return position;
      }
    }
    return Double.NaN;
  }
}
