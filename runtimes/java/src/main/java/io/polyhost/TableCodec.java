package io.polyhost;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * A table as one block of bytes, column by column: how a table crosses to a host in another
 * language in a single call.
 *
 * <p>Little-endian. The number of rows and of columns, as int32; then for each column its type (a
 * byte, the ordinal of {@link Column.Type}), its name (int32 length, UTF-8) and its cells: float64
 * for NUMBER, int64 for INTEGER and TIME, int8 for BOOLEAN (-1 is missing). For TEXT: the number of
 * distinct values (int32), their lengths in bytes (int32 each), their UTF-8 bytes in one run, and
 * for each row the position of its value (int32, -1 is missing). Both halves ship together, so the
 * form has no version of its own.
 */
public final class TableCodec {
  private static final Column.Type[] TYPES = Column.Type.values();
  private static final byte UNKNOWN = -1;

  private TableCodec() {}

  /** The table that {@link #encode} described. */
  public static Table decode(byte[] block) {
    ByteBuffer in = ByteBuffer.wrap(block).order(ByteOrder.LITTLE_ENDIAN);
    int rows = in.getInt();
    int width = in.getInt();
    List<String> names = new ArrayList<>(width);
    List<Column> columns = new ArrayList<>(width);
    for (int i = 0; i < width; i++) {
      Column.Type type = TYPES[in.get()];
      names.add(text(in, in.getInt()));
      columns.add(column(in, type, rows));
    }
    return new Table(names, columns);
  }

  private static Column column(ByteBuffer in, Column.Type type, int rows) {
    switch (type) {
      case NUMBER:
        double[] numbers = new double[rows];
        in.asDoubleBuffer().get(numbers);
        skip(in, rows * Double.BYTES);
        return new NumberColumn(numbers);
      case INTEGER:
        return new IntegerColumn(longs(in, rows));
      case TIME:
        return new TimeColumn(longs(in, rows));
      case BOOLEAN:
        Boolean[] truths = new Boolean[rows];
        for (int row = 0; row < rows; row++) {
          byte code = in.get();
          truths[row] = code == UNKNOWN ? null : code == 1;
        }
        return new BooleanColumn(truths);
      default:
        return new TextColumn(texts(in, rows));
    }
  }

  private static long[] longs(ByteBuffer in, int rows) {
    long[] values = new long[rows];
    in.asLongBuffer().get(values);
    skip(in, rows * Long.BYTES);
    return values;
  }

  private static String[] texts(ByteBuffer in, int rows) {
    int[] lengths = ints(in, in.getInt());
    String[] values = new String[lengths.length];
    for (int i = 0; i < values.length; i++) {
      values[i] = text(in, lengths[i]);
    }
    int[] codes = ints(in, rows);
    String[] cells = new String[rows];
    for (int row = 0; row < rows; row++) {
      cells[row] = codes[row] == UNKNOWN ? null : values[codes[row]];
    }
    return cells;
  }

  private static int[] ints(ByteBuffer in, int count) {
    int[] values = new int[count];
    in.asIntBuffer().get(values);
    skip(in, count * Integer.BYTES);
    return values;
  }

  private static String text(ByteBuffer in, int length) {
    String text = new String(in.array(), in.position(), length, StandardCharsets.UTF_8);
    skip(in, length);
    return text;
  }

  private static void skip(ByteBuffer in, int bytes) {
    in.position(in.position() + bytes);
  }

  /** The table as bytes. */
  public static byte[] encode(Table table) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    out.writeBytes(buffer(2 * Integer.BYTES).putInt(table.rows()).putInt(width(table)).array());
    for (int i = 0; i < width(table); i++) {
      Column column = table.columns().get(i);
      byte[] name = table.names().get(i).getBytes(StandardCharsets.UTF_8);
      out.write(column.type().ordinal());
      out.writeBytes(buffer(Integer.BYTES).putInt(name.length).array());
      out.writeBytes(name);
      out.writeBytes(cells(column));
    }
    return out.toByteArray();
  }

  private static int width(Table table) {
    return table.columns().size();
  }

  private static byte[] cells(Column column) {
    switch (column.type()) {
      case NUMBER:
        ByteBuffer numbers = buffer((long) column.size() * Double.BYTES);
        numbers.asDoubleBuffer().put(column.numbers());
        return numbers.array();
      case INTEGER:
        return bytes(((IntegerColumn) column).values());
      case TIME:
        return bytes(((TimeColumn) column).values());
      case BOOLEAN:
        byte[] codes = new byte[column.size()];
        for (int row = 0; row < codes.length; row++) {
          codes[row] = column.isMissing(row) ? UNKNOWN : (byte) column.number(row);
        }
        return codes;
      default:
        return bytes(column.texts());
    }
  }

  private static byte[] bytes(long[] values) {
    ByteBuffer out = buffer((long) values.length * Long.BYTES);
    out.asLongBuffer().put(values);
    return out.array();
  }

  private static byte[] bytes(String[] cells) {
    Map<String, Integer> positions = new LinkedHashMap<>();
    int[] codes = new int[cells.length];
    for (int row = 0; row < cells.length; row++) {
      String cell = cells[row];
      codes[row] = cell == null ? UNKNOWN : position(positions, cell);
    }
    byte[][] values = new byte[positions.size()][];
    long length = 0;
    int next = 0;
    for (String value : positions.keySet()) {
      values[next] = value.getBytes(StandardCharsets.UTF_8);
      length += values[next++].length;
    }
    ByteBuffer out = buffer(length + Integer.BYTES * (1L + values.length + codes.length));
    out.putInt(values.length);
    for (byte[] value : values) {
      out.putInt(value.length);
    }
    for (byte[] value : values) {
      out.put(value);
    }
    out.asIntBuffer().put(codes);
    return out.array();
  }

  private static int position(Map<String, Integer> positions, String cell) {
    Integer known = positions.putIfAbsent(cell, positions.size());
    return known == null ? positions.size() - 1 : known;
  }

  private static ByteBuffer buffer(long bytes) {
    if (bytes > Integer.MAX_VALUE - 8) {
      throw new IllegalArgumentException(
          "a column of " + bytes + " bytes does not fit in one block: send fewer rows at a time");
    }
    return ByteBuffer.allocate((int) bytes).order(ByteOrder.LITTLE_ENDIAN);
  }
}
