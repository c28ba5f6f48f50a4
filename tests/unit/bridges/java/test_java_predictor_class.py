"""Predictor classes as DRUM's users write them, in jars compiled here."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.served import Served

from . import predictor_jar

pytestmark = pytest.mark.runtime("java")

ROWS = "a,b\n1,x\n2.5,y\n"
YES_NO = ("--positive-class-label", "yes", "--negative-class-label", "no")


@pytest.fixture(scope="module")
def code_dir(tmp_path_factory) -> Path:
    """A folder that holds the jar."""
    folder = tmp_path_factory.mktemp("predictor") / "model"
    folder.mkdir()
    predictor_jar.build(folder.parent / "classes", folder / "model.jar")
    return folder


def variables(entry, name=predictor_jar.CLASS):
    return {
        "DRUM_JAVA_CUSTOM_PREDICTOR_CLASS": name,
        "DRUM_JAVA_CUSTOM_CLASS_PATH": str(entry),
    }


def run(polyhost, code_dir, body, *flags, env=None, out=True):
    data, output = polyhost.folder / "in.csv", polyhost.folder / "out"
    data.write_bytes(body if isinstance(body, bytes) else body.encode())
    given = ["score", "--code-dir", code_dir, "--input", data, "--language", "java"]
    said = [*given, "--output", output] if out else given
    done = polyhost(*said, *flags, env=env or variables(code_dir / "*"))
    return done, output


def scored(polyhost, code_dir, body, *flags, **more):
    done, output = run(polyhost, code_dir, body, *flags, **more)
    assert done.code == 0, done.err
    return output.read_bytes()


@pytest.mark.parametrize(
    ("flags", "answer"),
    [
        (("--target-type", "regression"), b"Predictions\n2.0\n5.0\n"),
        (("--target-type", "anomaly"), b"Predictions\n2.0\n5.0\n"),
        (("--target-type", "binary", *YES_NO), b"yes,no\n0.7,0.3\n0.7,0.3\n"),
        (
            ("--target-type", "multiclass", "--class-labels", "x", "y", "z"),
            b"x,y,z\n0.5,0.25,0.25\n0.5,0.25,0.25\n",
        ),
    ],
)
def test_structured(polyhost, code_dir, flags, answer):
    assert scored(polyhost, code_dir, ROWS, *flags) == answer


def test_text_generation(polyhost, code_dir):
    env = {**variables(code_dir / "*"), "TARGET_NAME": "completion"}
    answer = scored(polyhost, code_dir, ROWS, "--target-type", "textgeneration", env=env)
    assert answer == b"Predictions\nsaid 1\nsaid 2.5\n"


@pytest.mark.parametrize("entry", ["{jar}", "{folder}/*", "{nowhere}:{jar}", "{classes}", ""])
def test_class_paths(polyhost, code_dir, entry):
    """A jar, the jars of a folder, a list, a folder of classes; none: the code dir's own jars."""
    entry = entry.format(
        jar=code_dir / "model.jar",
        folder=code_dir,
        nowhere=code_dir / "nowhere.jar",
        classes=code_dir.parent / "classes",
    )
    answer = scored(polyhost, code_dir, ROWS, "--target-type", "regression", env=variables(entry))
    assert answer == b"Predictions\n2.0\n5.0\n"


def test_what_the_batch_configures_with(polyhost, code_dir):
    flags = ("--target-type", "unstructured", "--query", "ret_mode=params")
    found = scored(polyhost, code_dir, "x", *flags).decode()
    shown = dict(item.split("=", 1) for item in found.strip("{}").split(", "))
    assert shown == {
        "__custom_model_path__": str(code_dir),
        "target_type": "unstructured",
        "positiveClassLabel": "null",
        "negativeClassLabel": "null",
        "classLabels": "null",
        "run_language": "java",
        "monitor": "False",
        "monitor_embedded": "False",
        "allow_dr_api_access": "False",
        "model_id": "None",
        "deployment_id": "None",
        "monitor_settings": "None",
        "external_webserver_url": "None",
        "api_token": "None",
        "input_filename": str(polyhost.folder / "in.csv"),
        "output_filename": str(polyhost.folder / "out"),
        "sparse_column_file": "null",
        "query_params": "ret_mode=params",
        "content_type": "null",
    }


def test_ids_and_tokens_reach_it_without_monitoring(polyhost, code_dir):
    flags = ("--target-type", "unstructured", "--query", "ret_mode=params", "--model-id", "m1")
    more = {"DEPLOYMENT_ID": "d1", "EXTERNAL_WEB_SERVER_URL": "https://h", "API_TOKEN": "t"}
    env = {**variables(code_dir / "*"), **more, "MONITOR_SETTINGS": "spooler_type=x"}
    found = scored(polyhost, code_dir, "x", *flags, env=env).decode()
    shown = dict(item.split("=", 1) for item in found.strip("{}").split(", "))
    expected = {
        "monitor": "False",
        "model_id": "m1",
        "deployment_id": "d1",
        "monitor_settings": "spooler_type=x",
        "external_webserver_url": "https://h",
        "api_token": "t",
    }
    assert {key: shown[key] for key in expected} == expected


@pytest.mark.parametrize(
    ("flags", "answer"),
    [
        ((), b"text/plain|utf8|three words here"),
        (
            ("--content-type", "application/octet-stream"),
            b"application/octet-stream|utf-8|three words here",
        ),
        (("--query", "ret_mode=binary"), b"\x00\x00\x00\x10"),
    ],
)
def test_unstructured(polyhost, code_dir, flags, answer):
    body = "three words here"
    assert scored(polyhost, code_dir, body, "--target-type", "unstructured", *flags) == answer


@pytest.mark.parametrize(
    ("header", "told"),
    [
        ("raise", "IllegalStateException: asked to fail"),
        ("null", "predict returned null"),
        ("empty", "no CSV"),
    ],
)
def test_failures_of_predict(polyhost, code_dir, header, told):
    done, _ = run(polyhost, code_dir, f"{header}\n1\n", "--target-type", "regression")
    assert done.code == 1
    assert told in done.err


@pytest.mark.parametrize(
    ("name", "told"),
    [("com.example.Other", "there is no class"), ("java.lang.String", "is no predictor")],
)
def test_classes_that_do_not_fit(polyhost, code_dir, name, told):
    env = variables(code_dir / "*", name)
    done, _ = run(polyhost, code_dir, ROWS, "--target-type", "regression", env=env)
    assert done.code == 1
    assert told in done.err


def test_a_folder_without_a_java_file_is_refused(polyhost, code_dir, tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    done, _ = run(
        polyhost, empty, ROWS, "--target-type", "regression", env=variables(code_dir / "*")
    )
    assert done.code == 1
    assert "Could not find model artifact" in done.err


def test_transform_is_refused(polyhost, code_dir):
    done, _ = run(polyhost, code_dir, ROWS, "--target-type", "transform")
    assert done.code == 1
    assert "'transform' is not supported in java" in done.err


@pytest.fixture(scope="module")
def served(code_dir, tmp_path_factory):
    """DRUM's server with the unstructured predictor."""
    flags = ("--code-dir", code_dir, "--target-type", "unstructured", "--language", "java")
    folder = tmp_path_factory.mktemp("server")
    server = Served.start(folder, *flags, command="server", env=variables(code_dir / "*"))
    yield server
    server.stop()


def ask(server, query, body=b"x", content_type="text/plain"):
    reply = server.post(f"/predictUnstructured/{query}", body, content_type)
    return reply.status_code, reply.content, reply.headers["content-type"]


TEXT = "text/plain; charset=utf-8"


def test_unstructured_over_http(served):
    assert ask(served, "", "ü".encode()) == (200, "text/plain|utf-8|ü".encode(), TEXT)
    latin = ask(served, "", "ü".encode("latin1"), "text/plain; charset=latin1")
    assert latin == (200, "text/plain|latin1|ü".encode(), TEXT)
    first = ask(served, "?ret_mode=binary&ret_mode=none")
    assert first == (200, b"\0\0\0\1", "application/octet-stream")
    assert ask(served, "?ret_mode=none") == (200, b"", TEXT)


def test_failures_over_http(served):
    status, body, _ = ask(served, "?ret_mode=wrong")
    assert (status, b"java.lang.Integer" in body) == (500, True)
    status, body, _ = ask(served, "?ret_mode=raise")
    assert (status, b"asked to fail" in body) == (500, True)
    assert ask(served, "")[0] == 200


def test_what_the_server_configures_with(served):
    _, body, _ = ask(served, "?ret_mode=params")
    shown = dict(item.split("=", 1) for item in body.decode().strip("{}").split(", "))
    wanted = ("host", "port", "show_perf", "processes", "deployment_config")
    assert {name: shown[name] for name in wanted} == {
        "host": "127.0.0.1",
        "port": "0",  # as it was given: any
        "show_perf": "false",
        "processes": "null",
        "deployment_config": "null",
    }
    _, body, _ = ask(served, "?ret_mode=types")
    assert body == b"{port=Integer, show_perf=Boolean}"
