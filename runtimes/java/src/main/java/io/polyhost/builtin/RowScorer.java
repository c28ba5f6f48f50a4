package io.polyhost.builtin;

import hex.genmodel.GenModel;
import java.util.Arrays;

/** Scores rows of doubles one by one with the model's own {@code score0}. For one thread. */
final class RowScorer {
  private final H2oModel of;
  private final GenModel model;
  private final double[] answer;

  RowScorer(GenModel model, H2oModel of) {
    this.of = of;
    this.model = model;
    this.answer = new double[of.outputs()];
  }

  /** Write what is answered for one row of cells, into which models may write. */
  void score(double[] cells, double[] out) {
    Arrays.fill(answer, 0);
    double[] scored =
        of.offset() == null
            ? model.score0(cells, answer)
            : model.score0(cells, cells[cells.length - 1], answer);
    of.write(model, scored, out, 0);
  }
}
