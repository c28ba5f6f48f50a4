package io.polyhost.builtin;

/** Rows of columns. */
final class ColumnRows implements Rows {
  private final double[][] columns;

  ColumnRows(double[][] columns) {
    this.columns = columns;
  }

  @Override
  public void read(int number, double[] row) {
    for (int i = 0; i < columns.length; i++) {
      row[i] = columns[i][number];
    }
  }
}
