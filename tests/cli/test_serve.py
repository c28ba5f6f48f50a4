"""``polyhost serve`` and ``polyhost server``, started as a user starts them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

DEBIAN = "/usr/bin/python3"

WHERE = """
import sys

def load_model(code_dir):
    return 1

def score_unstructured(model, data, **kwargs):
    return data.upper() + " " + sys.executable
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "custom.py").write_text(WHERE, encoding="utf-8")
    return tmp_path


def has_numpy(python: str) -> bool:
    done = subprocess.run([python, "-c", "import numpy"], capture_output=True, check=False)
    return done.returncode == 0


@pytest.mark.skipif(
    not Path(DEBIAN).exists() or not has_numpy(DEBIAN), reason=f"no numpy in {DEBIAN}"
)
def test_a_model_runs_in_another_interpreter(serve, folder):
    server = serve(folder, "--target-type", "unstructured", "--python", DEBIAN)
    assert server.post("/predictUnstructured/", "abc", "text/plain").text == f"ABC {DEBIAN}"


def test_two_models_answer_under_the_names_they_were_given(serve, folder):
    text = "name: m\ntype: inference\ntargetType: unstructured\n"
    (folder / "model-metadata.yaml").write_text(text, encoding="utf-8")
    server = serve(f"first={folder}", f"second={folder}")
    for name in ("first", "second"):
        reply = server.post(f"/models/{name}/predictUnstructured/", "abc", "text/plain")
        assert reply.text.startswith("ABC ")
    assert server.post("/predictUnstructured/", "abc", "text/plain").status_code == 404


def test_server_takes_its_settings_from_the_environment_and_ends_with_130(serve, folder):
    settings = {"CODE_DIR": str(folder), "TARGET_TYPE": "unstructured", "URL_PREFIX": "/pre"}
    server = serve("--verbose", command="server", env=settings, wait=False)
    server.wait_answering("/pre/health/")
    assert server.out.startswith("Detected server mode\n")
    assert server.post("/pre/predictUnstructured/", "abc", "text/plain").text.startswith("ABC ")
    assert server.post("/predictUnstructured/", "abc", "text/plain").status_code == 404


def test_the_error_server_tells_why_the_model_was_not_loaded(serve, tmp_path):
    (tmp_path / "custom.py").write_text("import nonsuch\n", encoding="utf-8")
    flags = ["--code-dir", tmp_path, "--target-type", "regression", "--with-error-server"]
    server = serve(*flags, command="server", wait=False)
    server.wait_answering("/health/", 513)
    assert "nonsuch" in server.post("/predict/", "a\n1\n").json()["message"]


def test_the_port_that_the_system_chose_is_logged(serve, tmp_path):
    (tmp_path / "custom.py").write_text("def score(data, model, **kwargs):\n    return data\n")
    served = serve(tmp_path, "--target-type", "regression", wait=False)
    assert f"http://127.0.0.1:{served.port}" in served.err
