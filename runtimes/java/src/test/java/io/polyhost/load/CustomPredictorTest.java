package io.polyhost.load;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.datarobot.drum.BasePredictor;
import io.polyhost.PredictorException;
import io.polyhost.Request;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class CustomPredictorTest {
  private static final String[] NONE = {};

  /** Answers with what it was given. */
  public static class Telling extends BasePredictor {
    private Map<String, Object> params = Map.of();

    public Telling(String name) {
      super(name);
    }

    @Override
    public void configure(Map<String, Object> given) {
      params = given;
    }

    @Override
    public String predict(byte[] rows) {
      return "Predictions\n" + name + " " + params.get("target_type") + " " + rows.length + "\n";
    }

    @Override
    @SuppressWarnings("unchecked")
    public <T> T predictUnstructured(
        byte[] data, String mimetype, String charset, Map<String, String> query) {
      switch (query.getOrDefault("mode", "text")) {
        case "text":
          return (T) (mimetype + "|" + charset + "|" + data.length);
        case "bytes":
          return (T) data;
        case "none":
          return null;
        default:
          return (T) Integer.valueOf(1);
      }
    }
  }

  /** Reads files in a way of its own. */
  public static final class Reading extends Telling {
    Path file;

    public Reading(String name) {
      super(name);
    }

    @Override
    public String predictCSV(String fileName) throws Exception {
      file = Path.of(fileName);
      return "Predictions\nfile of " + Files.size(file) + "\n";
    }
  }

  private static CustomPredictor made(Class<?> type) throws Exception {
    return CustomPredictor.of(type.getName(), new ModelLoader(List.of()));
  }

  private static Request request(String text, byte[] bytes, String charset, String... query) {
    return new Request(text, bytes, null, charset, query, NONE);
  }

  @Test
  void isMadeWithNullAndConfiguredOnce() throws Exception {
    CustomPredictor predictor = made(Telling.class);
    predictor.configure(Map.of("target_type", "regression"));
    assertThat(predictor.predict("a\n1\n".getBytes(UTF_8)))
        .isEqualTo("Predictions\nnull regression 4\n");
  }

  @Test
  void largeBodiesGoThroughAFileWhereFilesAreReadDifferently() throws Exception {
    byte[] large = new byte[CustomPredictor.LARGEST_BODY + 1];
    Reading reading = new Reading("r");
    CustomPredictor predictor = new CustomPredictor(reading);
    assertThat(predictor.predict(large)).isEqualTo("Predictions\nfile of 33793\n");
    assertThat(reading.file).doesNotExist();
    assertThat(predictor.predict(new byte[CustomPredictor.LARGEST_BODY])).endsWith(" 33792\n");
    assertThat(made(Telling.class).predict(large)).endsWith(" 33793\n");
  }

  @Test
  void predictCsvReadsTheFileAndTellsOfOneThatIsNotThere() throws Exception {
    Path file = Files.createTempFile("rows", ".csv");
    Files.writeString(file, "a\n1\n");
    assertThat(new Telling("t").predictCSV(file.toString())).endsWith(" 4\n");
    Files.delete(file);
    assertThat(new Telling("t").predictCSV(file.toString())).isNull();
  }

  @Test
  void unstructuredTextIsEncodedWithItsCharset() throws Exception {
    CustomPredictor predictor = made(Telling.class);
    assertThat(predictor.predictUnstructured(request("ü", null, "latin1")).text())
        .isEqualTo("|latin1|1");
    assertThat(predictor.predictUnstructured(request("ü", null, null)).text())
        .isEqualTo("|utf-8|2");
  }

  @Test
  void unstructuredAnswersAreTextBytesOrNothing() throws Exception {
    CustomPredictor predictor = made(Telling.class);
    byte[] data = {0, -1};
    Request bytes = request(null, data, null, "mode", "bytes", "mode", "text");
    assertThat(predictor.predictUnstructured(bytes).bytes()).isEqualTo(data);
    Request none = request(null, data, null, "mode", "none");
    assertThat(predictor.predictUnstructured(none).text()).isNull();
    assertThatThrownBy(
            () -> predictor.predictUnstructured(request("x", null, null, "mode", "number")))
        .isInstanceOf(PredictorException.class)
        .hasMessageContaining("java.lang.Integer");
  }

  @Test
  void classesThatDoNotFitAreRefused() {
    assertThatThrownBy(() -> made(String.class)).hasMessageContaining("is no predictor");
    assertThatThrownBy(() -> made(BasePredictor.class)).hasMessageContaining("cannot be made");
    assertThatThrownBy(() -> CustomPredictor.of("no.Such", new ModelLoader(List.of())))
        .hasMessageContaining("there is no class no.Such");
  }
}
