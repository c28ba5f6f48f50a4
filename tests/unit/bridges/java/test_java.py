"""Hooks in Java: how they are found, called and told; what goes wrong; how the process fares."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from support.guest_process import Ended, GuestProcess

from polyhost.bridges.java.jars import class_path
from polyhost.data.payload import Payload, Table
from polyhost.data.target import Target, TargetType
from polyhost.errors import (
    GuestStatus,
    InvalidOutput,
    LoadError,
    MissingHook,
    ModelError,
    SettingsError,
)
from polyhost.pipeline.fit import FitJob
from polyhost.predictor import ModelSpec, Reply, Traits

pytestmark = pytest.mark.runtime("java")

BINARY = Target(TargetType.BINARY, ("yes", "no"))
REGRESSION = Target(TargetType.REGRESSION)
BINARY_CANCER = Target(TargetType.BINARY, ("malignant", "benign"))
UNSTRUCTURED = Target(TargetType.UNSTRUCTURED)
ONE = Table(["a"], [np.array([2.0])])
SCORE = "public Table score(Table rows, Object model, Target target) throws Exception {\n%s\n}"
SOURCE = "import io.polyhost.*;\npublic class %s implements Hooks {\n%s\n}\n"


def run(guest, hook, data=ONE):
    return guest.unwrap(guest.hook(hook, data, guest.context()))


def cells(table):
    return {
        name: list(column if isinstance(column, np.ndarray) else column.to_objects())
        for name, column in table
    }


# How hooks are found


def test_only_what_is_overridden_is_a_hook(opened):
    guest = opened("public Table transform(Table rows, Object model) { return rows; }")
    assert guest.hooks == {"transform"}
    assert guest.traits == Traits(threads=1, artifact_optional=True)


def test_inherited_hooks_count(java_process, tmp_path):
    source = (
        "import io.polyhost.*;\n"
        "abstract class Base implements Hooks { " + SCORE % "return rows;" + " }\n"
        "public class Custom extends Base {}\n"
    )
    (tmp_path / "Custom.java").write_text(source)
    spec = ModelSpec(tmp_path, "java", REGRESSION, Path("Custom.java"))
    assert java_process.open(spec).hooks == {"score"}


def test_no_custom_file_has_no_hooks(java_process, tmp_path):
    guest = java_process.open(ModelSpec(tmp_path, "java", REGRESSION))
    assert (guest.hooks, guest.traits.threads) == (frozenset(), 0)


@pytest.mark.parametrize("name", ["Custom", "custom.Custom", "org.example.Mine"])
def test_a_custom_jar(java_process, tmp_path, name):
    """Its service file names the class of the hooks, which may be left out for a class Custom."""
    _jar(tmp_path, name, SCORE % 'return Table.of("Predictions", 7.0);')
    if not name.endswith("Custom"):
        with zipfile.ZipFile(tmp_path / "custom.jar", "a") as jar:
            jar.writestr("META-INF/services/io.polyhost.Hooks", f"{name}\n")
    guest = java_process.open(ModelSpec(tmp_path, "java", REGRESSION, Path("custom.jar")))
    assert guest.hooks == {"score"}
    assert cells(run(guest, "score")) == {"Predictions": [7.0]}


def test_a_jar_without_hooks(java_process, tmp_path):
    _jar(tmp_path, "Other", "")
    with pytest.raises(LoadError, match=r"custom\.jar holds 0 classes with hooks: expected one"):
        java_process.open(ModelSpec(tmp_path, "java", REGRESSION, Path("custom.jar")))


def test_libraries_beside_the_custom_file(java_process, tmp_path):
    _jar(tmp_path, "org.example.Library", "public static double seven() { return 7; }")
    (tmp_path / "lib").mkdir()
    (tmp_path / "custom.jar").rename(tmp_path / "lib" / "library.jar")
    body = SCORE % 'return Table.of("Predictions", org.example.Library.seven());'
    (tmp_path / "Custom.java").write_text(SOURCE % ("Custom", body))
    guest = java_process.open(ModelSpec(tmp_path, "java", REGRESSION, Path("Custom.java")))
    assert cells(run(guest, "score")) == {"Predictions": [7.0]}


def test_two_models_of_one_class_name_do_not_meet(opened):
    guests = [opened(SCORE % f'return Table.of("Predictions", {n});') for n in ("1.0", "2.0")]
    assert [cells(run(guest, "score"))["Predictions"] for guest in guests] == [[1.0], [2.0]]


def _jar(folder, name, body):
    """``custom.jar`` with one class of hooks."""
    package, _, simple = name.rpartition(".")
    sources = folder / "sources"
    sources.mkdir()
    head = f"package {package};\n" if package else ""
    (sources / f"{simple}.java").write_text(head + SOURCE % (simple, body))
    classpath = str(class_path()[0])
    command = ["javac", "-proc:none", "-d", sources, "-cp", classpath, sources / f"{simple}.java"]
    subprocess.run(command, check=True)
    with zipfile.ZipFile(folder / "custom.jar", "w") as jar:
        for compiled in sources.rglob("*.class"):
            jar.write(compiled, compiled.relative_to(sources))


# What hooks are told


def test_score_is_told_the_model_and_the_target(opened):
    body = SCORE % (
        "return Table.of("
        '"told", model + " " + target.type() + " " + target.labels() + " "'
        ' + target.positiveLabel() + " " + target.negativeLabel());'
    )
    guest = opened('public Object loadModel(Path codeDir) { return "m"; }\n' + body, BINARY)
    assert cells(run(guest, "score")) == {"told": ["m binary [yes, no] yes no"]}


def test_init_and_load_model_are_told_the_code_dir(opened):
    guest = opened(
        """private Path seen;
           public void init(Path codeDir) { seen = codeDir; }
           public Object loadModel(Path codeDir) { return codeDir.equals(seen) ? seen : null; }
        """
        + SCORE % 'return Table.of("dir", model.toString());',
        load=False,
    )
    guest.run_init()
    assert guest.run_load_model() is True
    assert cells(run(guest, "score")) == {"dir": [str(guest.spec.code_dir)]}


def test_load_model_that_returns_null(opened):
    guest = opened("public Object loadModel(Path codeDir) { return null; }", load=False)
    assert guest.run_load_model() is False


def test_read_input_data_gets_the_bytes_as_they_came(opened):
    guest = opened(
        """public Table readInputData(byte[] body) {
             return Table.of("n", body.length, body[0] & 0xff);
           }"""
    )
    assert cells(run(guest, "read_input_data", b"\xff\x00")) == {"n": [2.0, 255.0]}


def test_data_stays_in_java_between_hooks(opened):
    guest = opened(
        """private Table last;
           public Table transform(Table rows, Object model) { last = rows; return rows; }
        """
        + SCORE % 'return Table.of("same", rows == last ? "yes" : "no");'
    )
    handle = guest.hook("transform", ONE, guest.context())
    assert guest.rows(handle) == 1
    assert cells(run(guest, "score", handle)) == {"same": ["yes"]}


def test_the_context_class_loader_is_the_models(opened):
    guest = opened(
        SCORE
        % """boolean own = Thread.currentThread().getContextClassLoader()
                 == getClass().getClassLoader();
             return Table.of("own", own ? "yes" : "no");"""
    )
    assert cells(run(guest, "score")) == {"own": ["yes"]}


def test_the_transformer_of_a_transform_model(opened):
    guest = opened("public Table transform(Table rows, Object model) { return rows; }")
    y = guest.wrap(ONE)
    assert cells(guest.apply_transformer(ONE, y, guest.context())) == {"a": [2.0]}


# Unstructured

ECHO = """
public Reply scoreUnstructured(Object model, Request request) {
  String told = request.isText() + " " + request.mimetype() + " " + request.charset()
      + " " + request.query() + " " + request.headers();
  switch (request.query().getOrDefault("mode", "")) {
    case "text": return Reply.text(request.text()).withCharset("latin1");
    case "bytes": return Reply.bytes(request.bytes()).withMimetype("image/png");
    case "null": return null;
    case "empty": return Reply.empty();
    default: return Reply.text(told);
  }
}
"""


@pytest.fixture(scope="module")
def echo(opened):
    guest = opened(ECHO, UNSTRUCTURED)

    def call(data, *query, mimetype="text/plain", charset="utf-8", headers=None):
        payload = Payload(b"", mimetype, charset, query, headers)
        return guest.unstructured(data, guest.context(payload))

    return call


def test_unstructured_is_told_what_came(echo):
    reply = echo("x", ("a", "1"), ("a", "2"), ("b", ""), headers={"X-Y": "z"})
    assert reply == Reply("true text/plain utf-8 {a=1, b=} {X-Y=z}")
    assert echo(b"x", mimetype="", charset=None) == Reply("false null null {} {}")


@pytest.mark.parametrize("text", ["", "größe 名前 🙂\n\0"])
def test_text_in_and_out(echo, text):
    assert echo(text, ("mode", "text")) == Reply(text, charset="latin1")


def test_bytes_in_and_out(echo):
    data = bytes(range(256)) * 5000
    expected = Reply(data, mimetype="image/png")
    assert echo(data, ("mode", "bytes"), charset=None) == expected
    assert echo(b"", ("mode", "bytes"), charset=None) == Reply(b"", mimetype="image/png")


@pytest.mark.parametrize("mode", ["null", "empty"])
def test_an_empty_answer(echo, mode):
    assert echo("x", ("mode", mode)) == Reply(None)


# What goes wrong


def test_a_native_error_keeps_type_message_place_and_trace(opened):
    guest = opened("\n\n" + SCORE % 'throw new IllegalStateException("went wrong");')
    with pytest.raises(ModelError) as caught:
        run(guest, "score")
    error = caught.value
    assert error.message == (
        "model 'score' failed in java: java.lang.IllegalStateException: went wrong at Custom.java:8"
    )
    assert (error.hook, error.location) == ("score", "Custom.java:8")
    assert error.native_type == "java.lang.IllegalStateException"
    assert error.native_message == "went wrong"
    assert "at polyhost-model//Custom.score(Custom.java:8)" in error.native_traceback


@pytest.mark.parametrize(
    ("throw", "native_type", "message"),
    [
        ("throw new java.io.IOException();", "java.io.IOException", ""),
        ('throw new AssertionError("no");', "java.lang.AssertionError", "no"),
        ('rows.numbers("z"); return rows;', "java.lang.IllegalArgumentException",
         "no column 'z': the table has a"),
        ('byte[][] all = new byte[9][]; for (int i = 0; i < 9; i++) all[i] = new byte[1 << 27];'
         "return rows;", "java.lang.OutOfMemoryError", "Java heap space"),
        ("return score(rows, model, target);", "java.lang.StackOverflowError", ""),
    ],
)  # fmt: skip
def test_every_throwable_comes_out(opened, throw, native_type, message):
    guest = opened(SCORE % throw)
    for _ in range(2):  # and the process lives on
        with pytest.raises(ModelError) as caught:
            run(guest, "score")
        assert caught.value.native_type == native_type
        assert caught.value.native_message == message


def test_a_status_of_its_own(opened):
    guest = opened(SCORE % 'throw new HttpStatusException(418, "teapot");')
    with pytest.raises(GuestStatus, match=r"^teapot$") as caught:
        run(guest, "score")
    assert caught.value.status == 418


@pytest.mark.parametrize("hook", ["read_input_data", "transform", "score", "post_process"])
def test_null_is_no_table(opened, hook):
    guest = opened(
        """public Table readInputData(byte[] body) { return null; }
           public Table transform(Table rows, Object model) { return null; }
           public Table postProcess(Table rows, Object model) { return null; }
        """
        + SCORE % "return null;"
    )
    with pytest.raises(InvalidOutput, match=f"{hook} returned null: expected a Table"):
        run(guest, hook, b"" if hook == "read_input_data" else ONE)


def test_columns_of_different_lengths(opened):
    guest = opened(SCORE % 'return Table.of("a", 1.0).with("b", 1.0, 2.0);')
    with pytest.raises(ModelError, match="columns of different lengths: 'a' has 1 rows, 'b' has 2"):
        run(guest, "score")


def test_a_source_that_does_not_compile(opened):
    with pytest.raises(LoadError, match=r"Custom.java does not compile:\n  Custom.java:5: ';' exp"):
        opened("int x = 1")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("public class Custom {}", "class Custom of Custom.java holds no hooks"),
        ("public abstract class Custom implements io.polyhost.Hooks {}", "cannot be made"),
        ("public class Custom implements io.polyhost.Hooks { Custom(int x) {} }", "cannot be made"),
    ],
)
def test_a_class_that_cannot_be_hooks(java_process, tmp_path, source, message):
    (tmp_path / "Custom.java").write_text(source)
    with pytest.raises(LoadError, match=message):
        java_process.open(ModelSpec(tmp_path, "java", REGRESSION, Path("Custom.java")))


@pytest.mark.parametrize(
    "body",
    ["static { boom(); } static void boom() { throw new RuntimeException(%s); }",
     "public Custom() { throw new RuntimeException(%s); }"],
    ids=["static", "constructor"],
)  # fmt: skip
def test_a_class_that_fails_when_it_is_made(opened, body):
    with pytest.raises(ModelError, match=r"'load' failed in java: java\.lang\.Runtime.*: boo"):
        opened(body % '"boo"')


def test_interrupt_cannot(opened):
    assert opened(SCORE % "return rows;").interrupt() is False


# How the process fares


def test_prints_go_to_the_descriptors_of_the_process(opened, java_process):
    guest = opened(SCORE % 'System.out.println("größe"); System.err.println("worse"); return rows;')
    run(guest, "score")
    assert "größe\n" in java_process.out.read_text(encoding="utf-8")
    assert "worse\n" in java_process.err.read_text(encoding="utf-8")


@pytest.fixture
def process_of(tmp_path):
    """``process_of(NAME=value)``: a process of its own with this environment."""
    started = []

    def start(**environment):
        started.append(GuestProcess(tmp_path, **environment))
        return started[-1]

    yield start
    for process in started:
        process.close()


def test_exit_ends_the_process_with_its_status(tmp_path, process_of):
    process = process_of()
    (tmp_path / "Custom.java").write_text(
        SOURCE % ("Custom", SCORE % "System.exit(3); return rows;")
    )
    guest = process.open(ModelSpec(tmp_path, "java", REGRESSION, Path("Custom.java")))
    with pytest.raises(Ended, match="3"):
        run(guest, "score")


@pytest.mark.parametrize("heap", ["1x", "lots", "-5m"])
def test_a_wrong_heap_size(tmp_path, process_of, heap):
    process = process_of(DRUM_JAVA_XMX=heap)
    with pytest.raises(SettingsError, match=f"wrong heap size {heap!r} in DRUM_JAVA_XMX"):
        process.open(ModelSpec(tmp_path, "java", REGRESSION))


def test_the_heap_is_what_was_asked_for(opened):
    guest = opened(SCORE % 'return Table.of("max", Runtime.getRuntime().maxMemory());')
    assert cells(run(guest, "score")) == {"max": [512 * 2**20]}


def test_memory_is_flat_over_many_calls(process_of, tmp_path, made):
    """The heap is small, so that what grows would be outside of it."""
    process = process_of(DRUM_JAVA_XMX="64m")
    source = SOURCE % ("Custom", SCORE % "return rows;")
    (tmp_path / "Custom.java").write_text(source)
    guest = process.open(ModelSpec(tmp_path, "java", REGRESSION, Path("Custom.java")))
    model = process.open(ModelSpec(made / "binary" / "model", "java", BINARY_CANCER))
    model.load_artifact(Path("model.zip"))
    body = (made / "binary" / "input.csv").read_bytes()
    table = Table(["n", "t"], [np.arange(2000.0), np.array(["x"] * 2000, dtype=object)])

    def calls(count):
        for _ in range(count):
            run(guest, "score", table)
            model.predict(model.read(Payload(body)), model.context())
            process.call(None, "drop")
        return process.memory()

    before = calls(400)
    assert calls(400) - before < 16 << 20


SCRIPT = """
import logging
import sys
from pathlib import Path
from polyhost.data.payload import Payload
from polyhost.pipeline.pipeline import open_predictor
from polyhost.predictor import ModelSpec
from polyhost.data.target import Target, TargetType
import jpype
folder = Path(sys.argv[1])
logging.disable()  # the input holds a level that the model does not know
for _ in range(6):
    target = Target(TargetType.REGRESSION)
    spec = ModelSpec(folder / "model", "java", target, None, (Path("model.zip"),))
    open_predictor(spec).predict(Payload((folder / "input.csv").read_bytes()))
jpype.JClass("java.lang.System").gc()
timer = jpype.JClass("java.util.Timer")()  # a thread that never ends
"""


def test_the_interpreter_ends_well(made):
    """Neither waits for a thread of the model, nor is called by Java while it ends (and aborts)."""
    for _ in range(3):
        command = [sys.executable, "-c", SCRIPT, str(made / "regression")]
        done = subprocess.run(command, timeout=60, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")


def test_the_example_in_the_docs(tmp_path, java_process):
    page = Path(__file__).resolve().parents[4] / "docs/languages/java.md"
    example = page.read_text(encoding="utf-8").split("```java\n")[1].split("```")[0]
    (tmp_path / "Custom.java").write_text(example)
    (tmp_path / "factor.txt").write_text("2\n")
    guest = java_process.open(ModelSpec(tmp_path, "java", REGRESSION, Path("Custom.java")))
    assert guest.run_load_model() is True
    rows = guest.read(Payload(b"a\n1\n2.5\n"))
    assert cells(run(guest, "score", rows)) == {"Predictions": [2.0, 5.0]}


# Training

FIT = """
public void fit(Training t, java.nio.file.Path dir) throws Exception {
  StringBuilder seen = new StringBuilder();
  seen.append(t.rows().names()).append(" ").append(t.rows().rows()).append("\\n");
  seen.append(t.rows().texts("name")[1]).append("\\n");
  seen.append(t.target().numbers("y")[1]).append(" ").append(t.weights()).append("\\n");
  seen.append(t.classOrder()).append("\\n");
  for (var each : new java.util.TreeMap<>(t.parameters()).entrySet()) {
    Object value = each.getValue();
    String kind = value == null ? "null" : value.getClass().getSimpleName();
    seen.append(each.getKey()).append(" ").append(kind).append(" ").append(value).append("\\n");
  }
  java.nio.file.Files.writeString(dir.resolve("seen.txt"), seen.toString());
}
"""
ROWS = Table(["a", "name"], [np.array([1.5, 2.5]), np.array(["x", "\u00e9"], object)])


def test_fit_gets_table_target_labels_and_parameters(opened, tmp_path):
    guest = opened(FIT)
    assert guest.hooks == {"fit"}
    target = Table(["y"], [np.array([3.0, 4.0])])
    given = {"depth": 5, "rate": 0.5, "deep": True, "name": "n", "none": None, "list": [1]}
    guest.fit(FitJob(ROWS, tmp_path, target, None, ("yes", "no"), given))
    assert (tmp_path / "seen.txt").read_text(encoding="utf-8").splitlines() == [
        *("[a, name] 2", "\u00e9", "4.0 null", "[yes, no]"),
        *("deep Boolean true", "depth Long 5", "list String [1]", "name String n"),
        *("none null null", "rate Double 0.5"),
    ]


def test_what_fit_throws_is_told(opened, tmp_path):
    throws = "public void fit(Training t, java.nio.file.Path d) { throw new RuntimeException(%s); }"
    with pytest.raises(ModelError, match="no such depth"):
        opened(throws % '"no such depth"').fit(FitJob(ROWS, tmp_path))
    with pytest.raises(MissingHook, match="'fit' is missing"):
        opened(SCORE % "return rows;").fit(FitJob(ROWS, tmp_path))
