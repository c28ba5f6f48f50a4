"""What is said where a model's library is not installed."""

from __future__ import annotations

import sys

import pytest

from polyhost.bridges.python.frameworks import load_artifact
from polyhost.errors import LoadError, RuntimeUnavailable

ARTIFACTS = [
    ("model.onnx", "onnxruntime", "onnxruntime"),
    ("model.keras", "keras", "keras tensorflow"),
    ("model.h5", "keras", "keras tensorflow"),
    ("model.pth", "torch", "torch"),
    ("model.pmml", "pypmml", "pypmml"),
]


@pytest.mark.parametrize(("name", "module", "package"), ARTIFACTS)
def test_the_install_command(tmp_path, monkeypatch, name, module, package):
    for absent in (module, "tensorflow"):
        monkeypatch.setitem(sys.modules, absent, None)
    with pytest.raises(RuntimeUnavailable) as raised:
        load_artifact(tmp_path / name)
    assert raised.value.message.endswith(f"{sys.executable} -m pip install {package}")
    assert raised.value.library == module


def test_a_pickle_whose_library_is_missing(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "xgboost", None)
    monkeypatch.setitem(sys.modules, "xgboost.core", None)
    (tmp_path / "model.pkl").write_bytes(b"cxgboost.core\nBooster\n.")
    with pytest.raises(RuntimeUnavailable, match=r"pip install xgboost$"):
        load_artifact(tmp_path / "model.pkl")


def test_a_pickle_of_somebodys_own_module(tmp_path):
    (tmp_path / "model.pkl").write_bytes(b"cnobodys_module\nModel\n.")
    with pytest.raises(LoadError, match="nobodys_module"):
        load_artifact(tmp_path / "model.pkl")
