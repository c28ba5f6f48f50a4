package io.polyhost;

/** Cells that are true, false or missing. */
final class BooleanColumn extends Column {
  private final Boolean[] values;

  BooleanColumn(Boolean[] values) {
    super(Type.BOOLEAN, values.length);
    this.values = values;
  }

  @Override
  public boolean isMissing(int row) {
    return values[row] == null;
  }

  @Override
  public String text(int row) {
    return isMissing(row) ? null : values[row].toString();
  }

  @Override
  public double number(int row) {
    return isMissing(row) ? Double.NaN : values[row] ? 1 : 0;
  }
}
