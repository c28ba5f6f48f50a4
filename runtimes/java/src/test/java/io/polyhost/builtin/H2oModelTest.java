package io.polyhost.builtin;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.polyhost.Column;
import io.polyhost.PredictorException;
import io.polyhost.Table;
import io.polyhost.load.ModelLoader;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.DoubleBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class H2oModelTest {
  private static final Path SOURCE = Path.of("src/test/java/io/polyhost/builtin/TinyPojo.java");

  private H2oModel model;

  @BeforeAll
  void compile() throws Exception {
    model = H2oModel.ofPojo(SOURCE, new ModelLoader(List.of()), true);
  }

  @Test
  void tellsItsColumns() {
    assertThat(model.columns()).containsExactly("n", "sex");
    assertThat(model.kinds()).containsExactly("number", "category");
    assertThat(model.extras()).isEmpty();
    assertThat(model.labels()).isEmpty();
    assertThat(model.takesRows()).isTrue();
    assertThat(model.framework()).isEqualTo("h2o pojo");
  }

  @Test
  void predictsATable() throws Exception {
    Table rows = Table.of("sex", "f", "m", "sex.m", "1", "?", null).with("n", 1, 2, 3, 4, 5, 6);
    assertThat(model.predict(rows).numbers("Predictions"))
        .containsExactly(2, 5, 7, 12, Double.NaN, Double.NaN);
  }

  @Test
  void readsTextsAsH2oDoes() throws Exception {
    Table texts = Table.of("n", " 1.5 ", "x", "", "1d").with("sex", "f", "f", "f", "f");
    assertThat(model.predict(texts).numbers("Predictions"))
        .containsExactly(3, Double.NaN, Double.NaN, 2);
    Table digits = Table.of("n", 0, 0).with("sex", Column.of(1L, 2L));
    assertThat(model.predict(digits).numbers("Predictions")).containsExactly(4, Double.NaN);
  }

  @Test
  void namesTheColumnThatIsMissing() {
    assertThatThrownBy(() -> model.predict(Table.of("n", 1.0)))
        .isInstanceOf(PredictorException.class)
        .hasMessage("column 'sex', which the model reads, is missing: found n");
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 7})
  void scoresRowsInSharedBuffers(int threads) {
    int rows = 1000;
    ByteBuffer in = direct(2 * rows);
    ByteBuffer out = direct(rows);
    DoubleBuffer cells = in.order(ByteOrder.nativeOrder()).asDoubleBuffer();
    for (int row = 0; row < rows; row++) {
      cells.put(2 * row, row).put(2 * row + 1, row % 3);
    }
    H2oLane lane = new H2oLane(model, in.order(ByteOrder.BIG_ENDIAN), out);
    for (int call = 0; call < 2; call++) {
      lane.score(rows, threads);
      DoubleBuffer answers = out.order(ByteOrder.nativeOrder()).asDoubleBuffer();
      for (int row = 0; row < rows; row++) {
        assertThat(answers.get(row)).isEqualTo(2.0 * row + (row % 3) * (row % 3));
      }
    }
  }

  private static ByteBuffer direct(int doubles) {
    return ByteBuffer.allocateDirect(doubles * Double.BYTES);
  }

  @Test
  void refusesWhatIsNoModel(@TempDir Path folder) throws Exception {
    Path zip = Files.writeString(folder.resolve("x.zip"), "no zip");
    assertThatThrownBy(() -> H2oModel.ofMojo(zip, false))
        .isInstanceOf(PredictorException.class)
        .hasMessageStartingWith("x.zip is no H2O MOJO that can be read");
    Path source = Files.writeString(folder.resolve("X.java"), "public class X {}");
    assertThatThrownBy(() -> H2oModel.ofPojo(source, new ModelLoader(List.of()), false))
        .hasMessageStartingWith("X.java is no H2O POJO: expected class X to extend");
    assertThatThrownBy(() -> ScoringCodeModel.of(new ModelLoader(List.of())))
        .hasMessageContaining("Could not find any DataRobot models");
  }
}
