package io.polyhost.builtin;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.DoubleBuffer;
import java.util.stream.IntStream;

/**
 * A pair of buffers that the caller shares with the model: it writes rows of doubles into one,
 * calls {@link #score}, and reads the predictions in the other. Nothing is copied or allocated for
 * a call, so that one row costs what the model costs. For one thread.
 */
public final class H2oLane {
  private final H2oModel model;
  private final DoubleBuffer in;
  private final DoubleBuffer out;
  private final RowScorer scorer;
  private final double[] row;
  private final double[] written;

  /**
   * Both buffers are direct and hold doubles in the machine's order, row by row: {@code in} the
   * model's {@link H2oModel#columns} of each row, {@code out} its {@link H2oModel#width} numbers.
   */
  public H2oLane(H2oModel model, ByteBuffer in, ByteBuffer out) {
    this.model = model;
    this.in = doubles(in);
    this.out = doubles(out);
    this.scorer = model.rowScorer();
    this.row = new double[model.columns().length];
    this.written = new double[model.width()];
  }

  private static DoubleBuffer doubles(ByteBuffer buffer) {
    return buffer.duplicate().order(ByteOrder.nativeOrder()).asDoubleBuffer();
  }

  /** Score the first {@code rows} rows, on this thread and up to {@code threads - 1} others. */
  public void score(int rows, int threads) {
    if (threads <= 1) {
      score(scorer, row, written, in, out, 0, rows);
      return;
    }
    IntStream.range(0, threads)
        .parallel()
        .forEach(
            part ->
                score(
                    model.rowScorer(),
                    new double[row.length],
                    new double[written.length],
                    in.duplicate(),
                    out.duplicate(),
                    (int) ((long) rows * part / threads),
                    (int) ((long) rows * (part + 1) / threads)));
  }

  private void score(
      RowScorer with,
      double[] cells,
      double[] answer,
      DoubleBuffer from,
      DoubleBuffer to,
      int start,
      int stop) {
    from.position(start * cells.length);
    to.position(start * answer.length);
    for (int number = start; number < stop; number++) {
      from.get(cells);
      with.score(cells, answer);
      to.put(answer);
    }
  }
}
