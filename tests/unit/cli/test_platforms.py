"""What platforms say about a container's model and port."""

from __future__ import annotations

from pathlib import Path

import pytest

from polyhost.cli.platforms import model_source, with_address


def test_a_folder_of_a_platform_is_the_model(tmp_path: Path) -> None:
    first, second = tmp_path / "opt-ml-model", tmp_path / "mnt-models"
    folders = (str(first), str(second))
    assert model_source({}, folders) == ""
    second.mkdir()
    assert model_source({"AIP_STORAGE_URI": "gs://a/b"}, folders) == "gs://a/b"
    (second / "model.pkl").touch()
    assert model_source({"AIP_STORAGE_URI": "gs://a/b"}, folders) == str(second)
    first.mkdir()
    (first / "model.pkl").touch()
    assert model_source({}, folders) == str(first)


def test_azures_folder_may_hold_the_models_own(tmp_path: Path) -> None:
    variables = {"AZUREML_MODEL_DIR": str(tmp_path)}
    assert model_source(variables, ()) == str(tmp_path)
    (tmp_path / "churn").mkdir()
    assert model_source(variables, ()) == str(tmp_path / "churn")
    (tmp_path / "MLmodel").touch()
    assert model_source(variables, ()) == str(tmp_path)


@pytest.mark.parametrize(
    ("variables", "brought", "port"),
    [
        ({}, False, None),
        ({"PORT": "7"}, False, None),
        ({"PORT": "7"}, True, "7"),
        ({}, True, "8080"),
        ({"AIP_HTTP_PORT": "8"}, False, "8"),
        ({"SAGEMAKER_BIND_TO_PORT": "9", "PORT": "7"}, True, "9"),
        ({"AIP_HTTP_PORT": "8", "POLYHOST__PORT": "1"}, False, "1"),
    ],
)
def test_the_port_is_the_platforms(
    variables: dict[str, str], brought: bool, port: str | None
) -> None:
    found = with_address(variables, brought)
    assert found.get("POLYHOST__PORT") == port
    assert found.get("POLYHOST__HOST") == (None if port is None else "0.0.0.0")
