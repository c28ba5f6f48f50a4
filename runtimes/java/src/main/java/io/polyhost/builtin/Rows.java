package io.polyhost.builtin;

/** Rows of doubles, read one after the other. */
interface Rows {

  /** Fill {@code row} with the cells of the row of this number. */
  void read(int number, double[] row);
}
