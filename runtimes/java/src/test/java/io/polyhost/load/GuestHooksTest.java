package io.polyhost.load;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.polyhost.Hooks;
import io.polyhost.PredictorException;
import io.polyhost.Request;
import io.polyhost.Table;
import io.polyhost.Target;
import io.polyhost.Training;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class GuestHooksTest {
  private static final Target REGRESSION = new Target("regression");

  @TempDir Path folder;

  private GuestHooks compiled(String body) throws Exception {
    Path source = folder.resolve("Custom.java");
    Files.writeString(
        source, "import io.polyhost.*;\npublic class Custom implements Hooks {\n" + body + "\n}\n");
    return GuestHooks.ofSource(source, new ModelLoader(List.of()));
  }

  @Test
  void knowsWhichHooksAreDefined() throws Exception {
    GuestHooks hooks =
        compiled(
            "public Object loadModel(java.nio.file.Path p) { return 1; }\n"
                + "public Table readInputData(byte[] b) { return null; }");
    assertThat(hooks.defined()).containsExactly("load_model", "read_input_data");
    assertThat(new GuestHooks(new Hooks() {}).defined()).isEmpty();
  }

  @Test
  void givesEveryHookTheModel() throws Exception {
    GuestHooks hooks =
        compiled(
            "public Object loadModel(java.nio.file.Path p) { return 2.0; }\n"
                + "public Table score(Table rows, Object model, Target target) {\n"
                + "  return Table.of(\"Predictions\", (double) model);\n}");
    assertThat(hooks.loadModel(folder.toString())).isTrue();
    assertThat(hooks.score(Table.of("a", 1.0), REGRESSION).numbers("Predictions"))
        .containsExactly(2);
    hooks.useModel(3.0);
    assertThat(hooks.score(Table.of("a", 1.0), REGRESSION).numbers("Predictions"))
        .containsExactly(3);
  }

  @Test
  void nullIsNoTableButAnEmptyReply() throws Exception {
    GuestHooks hooks =
        compiled(
            "public Table transform(Table rows, Object model) { return null; }\n"
                + "public Reply scoreUnstructured(Object m, Request r) { return null; }");
    assertThatThrownBy(() -> hooks.transform(Table.of("a", 1.0)))
        .isInstanceOf(PredictorException.class)
        .hasMessage("transform returned null: expected a Table");
    String[] none = {};
    assertThat(hooks.scoreUnstructured(new Request("", null, null, null, none, none)).text())
        .isNull();
  }

  @Test
  void saysWhereASourceDoesNotCompile() {
    assertThatThrownBy(() -> compiled("int x = ;"))
        .isInstanceOf(PredictorException.class)
        .hasMessageStartingWith("Custom.java does not compile:\n  Custom.java:3: illegal start")
        .extracting(thrown -> ((PredictorException) thrown).location())
        .isEqualTo("Custom.java:3");
  }

  @Test
  void nestedClassesAndPackagesAreFound() throws Exception {
    Path source = folder.resolve("Custom.java");
    Files.writeString(
        source,
        "package a.b;\npublic final class Custom implements io.polyhost.Hooks {\n"
            + "  private final Inner inner = new Inner();\n  static class Inner {}\n}\n");
    assertThat(GuestHooks.ofSource(source, new ModelLoader(List.of())).defined()).isEmpty();
    try (var files = Files.list(folder)) {
      assertThat(files).containsExactly(source);
    }
  }

  @Test
  void describesWhatAModelThrows() throws Exception {
    GuestHooks hooks =
        compiled("public void init(java.nio.file.Path p) { throw new RuntimeException(\"no\"); }");
    assertThatThrownBy(() -> hooks.init("/"))
        .satisfies(
            thrown -> {
              String[] described = Failure.describe(thrown);
              assertThat(described[0]).isEqualTo("java.lang.RuntimeException");
              assertThat(described[1]).isEqualTo("no");
              assertThat(described[2]).contains("at polyhost-model//Custom.init(Custom.java:3)");
              assertThat(described[3]).isEqualTo("Custom.java:3");
            });
    assertThat(Failure.describe(new ExceptionInInitializerError(new Error()))[0])
        .isEqualTo("java.lang.Error");
  }

  @Test
  void trainsIntoTheFolder() throws Exception {
    GuestHooks hooks =
        compiled(
            "public void fit(Training t, java.nio.file.Path dir) throws Exception {\n"
                + "  java.nio.file.Files.writeString(dir.resolve(\"seen\"),\n"
                + "      t.rows().names() + \" \" + t.target().numbers(\"y\")[0] + t.parameters());\n"
                + "}");
    Table target = Table.of("y", 3.0);
    Training training =
        new Training(Table.of("a", 1.0), target, null, null, Map.of("depth", (Object) 2L));
    hooks.fit(training, folder.toString());
    assertThat(hooks.defined()).containsExactly("fit");
    assertThat(training.classOrder()).isNull();
    assertThat(folder.resolve("seen")).hasContent("[a] 3.0{depth=2}");
  }
}
