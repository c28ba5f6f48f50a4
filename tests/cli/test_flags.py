"""Environment twins and the checks of flags, without starting anything."""

from __future__ import annotations

import os

import pytest

from polyhost.cli.flags import FLAGS, with_environment
from polyhost.cli.main import build_parser, parse
from polyhost.cli.options import export_settings, target_settings
from polyhost.cli.server import server_settings, split_address
from polyhost.errors import SettingsError
from polyhost.settings import Setting, Source, TargetSettings

SERVER = ["server", "--code-dir", "d", "--address", "localhost"]


@pytest.mark.parametrize(
    ("arguments", "environment", "added"),
    [
        (["server"], {"CODE_DIR": "d", "ADDRESS": ":1"}, ["--code-dir=d", "--address=:1"]),
        (SERVER, {"CODE_DIR": "e"}, []),
        (["server", "--code-dir=d"], {"CODE_DIR": "e"}, []),
        (["server", "-cd", "d"], {"CODE_DIR": "e"}, ["--code-dir=e"]),
        (SERVER, {"TARGET_TYPE": ""}, []),
        (SERVER, {"SHOW_STACKTRACE": "Yes "}, ["--show-stacktrace"]),
        (SERVER, {"SHOW_STACKTRACE": "off"}, []),
        (SERVER, {"CLASS_LABELS": "a b  c"}, ["--class-labels", "a", "b", "c"]),
        ([*SERVER, "--class-labels-file", "f"], {"CLASS_LABELS": "a b"}, []),
        ([*SERVER, "--class-labels", "a", "b"], {"CLASS_LABELS_FILE": "f"}, []),
        (["score"], {"ADDRESS": "localhost"}, []),
        (["serve", "m"], {"TARGET_TYPE": "binary"}, []),
        ([], {"CODE_DIR": "d"}, []),
    ],
)
def test_twins_are_added_for_absent_flags_of_the_command(arguments, environment, added):
    assert with_environment(arguments, environment)[0] == [*arguments, *added]


def test_a_switch_that_is_neither_true_nor_false_is_an_error():
    with pytest.raises(SettingsError, match="SHOW_STACKTRACE is 'maybe': expected true or false"):
        with_environment(SERVER, {"SHOW_STACKTRACE": "maybe"})


def test_settings_know_if_they_came_from_the_environment(tmp_path):
    options = parse(
        build_parser(),
        ["server", "--code-dir", str(tmp_path), "--target-type", "binary"],
        {
            "ADDRESS": "localhost",
            "POSITIVE_CLASS_LABEL": "y",
            "NEGATIVE_CLASS_LABEL": "n",
            "TARGET_NAME": "t",
        },
    )
    assert target_settings(options) == TargetSettings(
        type=Setting("binary", Source.FLAG, "--target-type"),
        binary_labels=Setting(("y", "n"), Source.ENVIRONMENT, "POSITIVE_CLASS_LABEL"),
        class_labels=Setting(()),
        name=Setting("t", Source.ENVIRONMENT, "TARGET_NAME"),
    )


@pytest.mark.parametrize(
    ("address", "parts"),
    [
        ("localhost", ("localhost", 5000)),
        ("0.0.0.0:8080", ("0.0.0.0", 8080)),
        ("[::1]:80", ("::1", 80)),
        ("[::1]", ("::1", 5000)),
    ],
)
def test_an_address_is_host_and_port(address, parts):
    assert split_address(address) == parts


@pytest.mark.parametrize("address", ["", ":", "host:", ":80", "host:http", "host:70000"])
def test_a_wrong_address(address):
    with pytest.raises(SettingsError, match="expected HOST or HOST:PORT"):
        split_address(address)


def test_no_two_flags_share_a_name_or_a_variable():
    names = [name for flag in FLAGS for name in flag.names]
    variables = [flag.env for flag in FLAGS if flag.env]
    assert len(names) == len(set(names))
    assert len(variables) == len(set(variables))


@pytest.fixture
def server_options(tmp_path, monkeypatch):
    """Parsed options of a server of a small model; variables set here end with the test."""
    (tmp_path / "custom.py").write_text("", encoding="utf-8")
    words = ["server", "--code-dir", str(tmp_path), "--address", "x", "--target-type", "regression"]
    monkeypatch.setenv("DATAROBOT_ENDPOINT", "")
    monkeypatch.setenv("DATAROBOT_API_TOKEN", "")
    monkeypatch.setenv("ADDRESS", "")
    return lambda *flags: parse(build_parser(), [*words, *flags], {})


def test_runtime_parameters_steer_the_server(server_options, monkeypatch):
    (model,) = server_settings(server_options("--max-workers", "2")).models
    assert (model.workers, model.limits.deadline) == (2, 600)
    for name, value in (("CUSTOM_MODEL_WORKERS", 3), ("DRUM_CLIENT_REQUEST_TIMEOUT", 7)):
        text = f'{{"type": "numeric", "payload": {value}}}'
        monkeypatch.setenv(f"MLOPS_RUNTIME_PARAM_{name}", text)
    (model,) = server_settings(server_options("--max-workers", "2")).models
    assert (model.workers, model.limits.deadline) == (3, 7)
    text = '{"type": "numeric", "payload": 0}'
    monkeypatch.setenv("MLOPS_RUNTIME_PARAM_DRUM_CLIENT_REQUEST_TIMEOUT", text)
    (model,) = server_settings(server_options()).models
    assert model.limits.deadline is None
    for many in ("1001", "1e300"):
        text = f'{{"type": "numeric", "payload": {many}}}'
        monkeypatch.setenv("MLOPS_RUNTIME_PARAM_CUSTOM_MODEL_WORKERS", text)
        with pytest.raises(
            SettingsError, match=r"CUSTOM_MODEL_WORKERS is .*: expected at most 1000"
        ):
            server_settings(server_options())
    monkeypatch.setenv("MLOPS_RUNTIME_PARAM_CUSTOM_MODEL_WORKERS", "three")
    with pytest.raises(SettingsError, match="CUSTOM_MODEL_WORKERS is no number"):
        server_settings(server_options())


@pytest.mark.parametrize("address", ["https://dr.example", "https://dr.example/api/v2/"])
def test_the_clients_variables_are_set_for_models_that_may_call_datarobot(server_options, address):
    flags = ["--allow-dr-api-access", "--webserver", address, "--api-token", "t"]
    export_settings(server_options(*flags))
    assert os.environ["DATAROBOT_ENDPOINT"] == "https://dr.example/api/v2"
    assert os.environ["DATAROBOT_API_TOKEN"] == "t"


def test_positive_first_reaches_the_model(server_options):
    (model,) = server_settings(server_options("--positive-first")).models
    assert model.spec.options["positive_first"] is True
