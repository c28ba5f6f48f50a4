package io.polyhost;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.charset.StandardCharsets;
import java.util.List;
import org.junit.jupiter.api.Test;

class TableTest {
  private static Table csv(String text) throws PredictorException {
    return Table.readCsv(text.getBytes(StandardCharsets.UTF_8));
  }

  @Test
  void readsEveryCellOfACsvAsText() throws Exception {
    Table table = csv("\uFEFFa,größe\n\n007,\"x\ny\"\nNA,\n");
    assertThat(table.names()).containsExactly("a", "größe");
    assertThat(table.texts("a")).containsExactly("007", "NA");
    assertThat(table.texts("größe")).containsExactly("x\ny", "");
  }

  @Test
  void refusesAMalformedCsv() {
    assertThatThrownBy(() -> csv("a,b\n1\n"))
        .isInstanceOf(PredictorException.class)
        .hasMessage("the CSV cannot be parsed: row 1 has 1 cells, the header 2")
        .extracting(thrown -> ((PredictorException) thrown).kind())
        .isEqualTo(PredictorException.Kind.SCHEMA);
    assertThatThrownBy(() -> csv("\n\n")).hasMessageContaining("the CSV is empty");
    assertThatThrownBy(() -> csv("a\n\"x")).hasMessageContaining("the CSV cannot be parsed");
    assertThatThrownBy(() -> Table.readCsv(new byte[] {'a', '\n', (byte) 0xff}))
        .hasMessageContaining("the CSV is not UTF-8");
  }

  @Test
  void readsTextsAsNumbers() {
    Table table = Table.of("a", "1.5", " 2 ", "", null);
    assertThat(table.numbers("a")).containsExactly(1.5, 2, Double.NaN, Double.NaN);
    assertThatThrownBy(() -> Table.of("a", "x").numbers("a"))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("column 'a' is not all numbers: For input string: \"x\"");
  }

  @Test
  void readsNumbersAsTexts() {
    assertThat(Table.of("a", 1.5, Double.NaN).texts("a")).containsExactly("1.5", null);
    assertThat(Column.of(7L).texts()).containsExactly("7");
    assertThat(Column.of(true, null).texts()).containsExactly("true", null);
    assertThat(Column.of(true, false, null).numbers()).containsExactly(1, 0, Double.NaN);
    assertThat(Column.ofTimes(1_500_000_000L, Long.MIN_VALUE).texts())
        .containsExactly("1970-01-01T00:00:01.500Z", null);
    assertThat(Column.ofTimes(1_500_000_000L, Long.MIN_VALUE).numbers())
        .containsExactly(1500, Double.NaN);
  }

  @Test
  void withReplacesTheFirstOfTheNameOrAppends() {
    Table table = Table.of("a", 1.0).with("b", "x");
    assertThat(table.with("a", 2.0).numbers("a")).containsExactly(2);
    assertThat(table.with("a", 2.0).names()).containsExactly("a", "b");
    assertThat(table.numbers("a")).containsExactly(1);
    assertThat(table.select("b").names()).containsExactly("b");
  }

  @Test
  void namesTheColumnsWhenOneIsNotThere() {
    assertThatThrownBy(() -> Table.of("a", 1.0).with("b", 2.0).column("c"))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("no column 'c': the table has a, b");
  }

  @Test
  void refusesColumnsOfDifferentLengths() {
    assertThatThrownBy(() -> Table.of("a", 1.0).with("b", 1.0, 2.0))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("columns of different lengths: 'a' has 1 rows, 'b' has 2");
    assertThatThrownBy(() -> new Table(List.of("a"), List.of()))
        .hasMessage("1 names for 0 columns");
  }

  @Test
  void goesThroughBytesUnchanged() {
    Table table =
        Table.of("number", 1.5, Double.NaN)
            .with("integer", Column.of(Long.MAX_VALUE, Long.MIN_VALUE))
            .with("boolean", Column.of(true, null))
            .with("größe", "名前", null)
            .with("time", Column.ofTimes(1, Long.MIN_VALUE));
    Table back = TableCodec.decode(TableCodec.encode(table));
    assertThat(back.names()).isEqualTo(table.names());
    for (int i = 0; i < table.columns().size(); i++) {
      assertThat(back.columns().get(i).type()).isEqualTo(table.columns().get(i).type());
      assertThat(back.columns().get(i).texts()).isEqualTo(table.columns().get(i).texts());
    }
  }
}
