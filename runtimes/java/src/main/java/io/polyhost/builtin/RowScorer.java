package io.polyhost.builtin;

import hex.genmodel.GenModel;
import java.util.Arrays;

/** Scores rows of doubles one by one with the model's own {@code score0}. For one thread. */
final class RowScorer {
  private final GenModel model;
  private final boolean hasOffset;
  private final double[] row;
  private final double[] answer;
  private final int first;
  private final int width;

  RowScorer(GenModel model, H2oModel of) {
    this.model = model;
    this.hasOffset = of.offset() != null;
    this.row = new double[of.columns().length];
    this.answer = new double[of.outputs()];
    this.first = of.firstOutput();
    this.width = of.width();
  }

  void score(Rows rows, int count, double[] out) {
    for (int number = 0; number < count; number++) {
      rows.read(number, row);
      System.arraycopy(score(row), first, out, number * width, width);
    }
  }

  /** What H2O answers for one row; valid until the next call. Models may write into the row. */
  double[] score(double[] cells) {
    Arrays.fill(answer, 0);
    if (hasOffset) {
      return model.score0(cells, cells[cells.length - 1], answer);
    }
    return model.score0(cells, answer);
  }
}
