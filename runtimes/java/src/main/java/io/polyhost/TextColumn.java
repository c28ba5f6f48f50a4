package io.polyhost;

/** Cells that are texts. */
final class TextColumn extends Column {
  private final String[] values;

  TextColumn(String[] values) {
    super(Type.TEXT, values.length);
    this.values = values;
  }

  @Override
  public boolean isMissing(int row) {
    return values[row] == null;
  }

  @Override
  public String text(int row) {
    return values[row];
  }

  @Override
  public double number(int row) {
    String text = values[row];
    return text == null || text.isBlank() ? Double.NaN : Double.parseDouble(text);
  }

  @Override
  public String[] texts() {
    return values;
  }
}
