package io.polyhost;

import java.time.Instant;

/** Cells that are points in time. */
final class TimeColumn extends Column {
  static final long MISSING = Long.MIN_VALUE;
  private static final long NANOSECONDS = 1_000_000_000L;

  private final long[] values;

  TimeColumn(long[] values) {
    super(Type.TIME, values.length);
    this.values = values;
  }

  long[] values() {
    return values;
  }

  Instant instant(int row) {
    if (isMissing(row)) {
      return null;
    }
    return Instant.ofEpochSecond(
        Math.floorDiv(values[row], NANOSECONDS), Math.floorMod(values[row], NANOSECONDS));
  }

  @Override
  public boolean isMissing(int row) {
    return values[row] == MISSING;
  }

  @Override
  public String text(int row) {
    return isMissing(row) ? null : instant(row).toString();
  }

  /** Milliseconds since 1970-01-01 UTC, the unit H2O counts time in. */
  @Override
  public double number(int row) {
    return isMissing(row) ? Double.NaN : values[row] / 1e6;
  }
}
