package io.polyhost;

/** Cells that are doubles. */
final class NumberColumn extends Column {
  private final double[] values;

  NumberColumn(double[] values) {
    super(Type.NUMBER, values.length);
    this.values = values;
  }

  @Override
  public boolean isMissing(int row) {
    return Double.isNaN(values[row]);
  }

  @Override
  public String text(int row) {
    return isMissing(row) ? null : Double.toString(values[row]);
  }

  @Override
  public double number(int row) {
    return values[row];
  }

  @Override
  public double[] numbers() {
    return values;
  }
}
