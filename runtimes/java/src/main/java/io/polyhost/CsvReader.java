package io.polyhost;

import java.io.IOException;
import java.io.StringReader;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import org.apache.commons.csv.CSVFormat;
import org.apache.commons.csv.CSVParser;
import org.apache.commons.csv.CSVRecord;

/** Reads a CSV as a table of texts. */
final class CsvReader {
  private static final char BYTE_ORDER_MARK = '\uFEFF';

  private CsvReader() {}

  static Table read(byte[] csv) throws PredictorException {
    try (CSVParser records = CSVParser.parse(new StringReader(text(csv)), CSVFormat.DEFAULT)) {
      return read(records.iterator());
    } catch (CharacterCodingException broken) {
      throw PredictorException.schema(
          "the CSV is not UTF-8. Supplied CSV input file encoding must be UTF-8");
    } catch (IOException | UncheckedIOException | IllegalStateException broken) {
      throw PredictorException.schema("the CSV cannot be parsed: " + broken.getMessage());
    }
  }

  private static String text(byte[] csv) throws CharacterCodingException {
    CharBuffer text = StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(csv));
    boolean marked = text.hasRemaining() && text.charAt(0) == BYTE_ORDER_MARK;
    return (marked ? text.subSequence(1, text.length()) : text).toString();
  }

  private static Table read(Iterator<CSVRecord> records) throws PredictorException {
    if (!records.hasNext()) {
      throw PredictorException.schema(
          "the CSV is empty: expected a header line with the names of the columns");
    }
    List<String> names = records.next().toList();
    List<List<String>> cells = new ArrayList<>();
    names.forEach(name -> cells.add(new ArrayList<>()));
    for (int row = 1; records.hasNext(); row++) {
      CSVRecord record = records.next();
      if (record.size() != names.size()) {
        throw PredictorException.schema(
            String.format(
                "the CSV cannot be parsed: row %d has %d cells, the header %d",
                row, record.size(), names.size()));
      }
      for (int column = 0; column < names.size(); column++) {
        cells.get(column).add(record.get(column));
      }
    }
    List<Column> columns = new ArrayList<>();
    for (List<String> column : cells) {
      columns.add(Column.of(column.toArray(new String[0])));
    }
    return new Table(names, columns);
  }
}
