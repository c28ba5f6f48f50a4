package io.polyhost;

import java.io.IOException;
import java.io.StringReader;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.List;
import org.apache.commons.csv.CSVFormat;
import org.apache.commons.csv.CSVParser;
import org.apache.commons.csv.CSVRecord;

/** Reads a CSV as a table of texts. */
final class CsvReader {
  private static final char BYTE_ORDER_MARK = '\uFEFF';

  private CsvReader() {}

  static Table read(String csv) throws PredictorException {
    String text = !csv.isEmpty() && csv.charAt(0) == BYTE_ORDER_MARK ? csv.substring(1) : csv;
    try (CSVParser records = CSVParser.parse(new StringReader(text), CSVFormat.DEFAULT)) {
      return read(records.getRecords());
    } catch (IOException | UncheckedIOException | IllegalStateException broken) {
      throw PredictorException.schema("the CSV cannot be parsed: " + broken.getMessage());
    }
  }

  private static Table read(List<CSVRecord> records) throws PredictorException {
    if (records.isEmpty()) {
      throw PredictorException.schema(
          "the CSV is empty: expected a header line with the names of the columns");
    }
    List<String> names = new ArrayList<>();
    records.get(0).forEach(names::add);
    String[][] cells = new String[names.size()][records.size() - 1];
    for (int row = 1; row < records.size(); row++) {
      CSVRecord record = records.get(row);
      if (record.size() != names.size()) {
        throw PredictorException.schema(
            String.format(
                "row %d of the CSV has %d cells: the header has %d columns",
                row, record.size(), names.size()));
      }
      for (int column = 0; column < names.size(); column++) {
        cells[column][row - 1] = record.get(column);
      }
    }
    List<Column> columns = new ArrayList<>();
    for (String[] column : cells) {
      columns.add(Column.of(column));
    }
    return new Table(names, columns);
  }
}
