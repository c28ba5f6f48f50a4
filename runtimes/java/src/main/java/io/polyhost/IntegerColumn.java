package io.polyhost;

/** Cells that are whole numbers. */
final class IntegerColumn extends Column {
  private final long[] values;

  IntegerColumn(long[] values) {
    super(Type.INTEGER, values.length);
    this.values = values;
  }

  long[] values() {
    return values;
  }

  @Override
  public boolean isMissing(int row) {
    return false;
  }

  @Override
  public String text(int row) {
    return Long.toString(values[row]);
  }

  @Override
  public double number(int row) {
    return values[row];
  }
}
