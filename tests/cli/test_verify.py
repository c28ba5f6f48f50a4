"""Options that cannot stand together: the message and the help on stdout, exit code 1."""

from __future__ import annotations

import pytest

from polyhost.cli.main import build_parser, parse
from polyhost.cli.verify import verify
from polyhost.errors import WrongOptions

REGRESSION = ["--target-type", "regression"]
UNSTRUCTURED = ["--target-type", "unstructured"]
IDS = ["--deployment-id", "d", "--model-id", "m"]
METADATA = "name: m\ntype: inference\ntargetType: unstructured\n"


def check(folder, command, arguments, environment=None):
    (folder / "in.csv").write_text("a\n1\n", encoding="utf-8")
    own = {"score": ["--input", str(folder / "in.csv")], "server": ["--address", "localhost"]}
    words = [command, "--code-dir", str(folder), *own[command], *arguments]
    verify(parse(build_parser(), words, environment or {}))


@pytest.mark.parametrize("command", ["score", "server"])
@pytest.mark.parametrize(
    ("arguments", "environment", "says"),
    [
        ([*REGRESSION, "--query", "a=1"], {}, "--query is for unstructured models; found target"),
        ([*REGRESSION, "--content-type", "text/csv"], {}, "--content-type is for unstructured"),
        ([*REGRESSION, "--skip-deps-install"], {}, "--skip-deps-install needs --docker"),
        ([*REGRESSION, "--triton-host", "localhost"], {}, "wrong --triton-host 'localhost'"),
        (REGRESSION, {"TRITON_HOST": "http://"}, "wrong --triton-host 'http://'"),
        (REGRESSION, {"TRITON_HTTP_PORT": "0"}, "must be positive .* found 0 and 8001"),
        ([*REGRESSION, "--triton-grpc-port", "8000"], {}, "differ from each other; found 8000"),
        ([*UNSTRUCTURED, "--monitor"], {}, "MLOps monitoring can not be used in unstructured mode"),
        ([*REGRESSION, "--monitor-embedded"], {}, "--monitor-embedded is for unstructured"),
        (
            [*REGRESSION, "--monitor", "--model-id", "m"],
            {},
            "missing: --deployment-id, --monitor-settings",
        ),
        (
            [*UNSTRUCTURED, "--monitor-embedded", *IDS],
            {"API_TOKEN": "t"},
            "missing: --webserver",
        ),
        ([*REGRESSION, "--allow-dr-api-access"], {}, "missing: --webserver, --api-token"),
    ],
)
def test_what_cannot_stand(tmp_path, command, arguments, environment, says):
    with pytest.raises(WrongOptions, match=says):
        check(tmp_path, command, arguments, environment)


@pytest.mark.parametrize(
    ("arguments", "environment"),
    [
        ([*REGRESSION, *IDS], {}),
        ([*UNSTRUCTURED, "--query", "a=1", "--content-type", "text/plain"], {}),
        ([*REGRESSION, "--triton-host", "grpc://here"], {"TRITON_GRPC_PORT": "7"}),
        (
            [*REGRESSION, "--monitor", "--monitor-settings", "s"],
            {"DEPLOYMENT_ID": "", "MLOPS_DEPLOYMENT_ID": "d", "MODEL_ID": "m"},
        ),
        (
            [*UNSTRUCTURED, "--monitor-embedded", *IDS],
            {"EXTERNAL_WEB_SERVER_URL": "http://dr", "API_TOKEN": "t"},
        ),
    ],
)
def test_what_can_stand(tmp_path, arguments, environment):
    check(tmp_path, "score", arguments, environment)


def test_the_target_type_may_come_from_the_metadata(tmp_path):
    (tmp_path / "model-metadata.yaml").write_text(METADATA, encoding="utf-8")
    check(tmp_path, "score", ["--query", "a=1"])
    with pytest.raises(WrongOptions, match="--monitor is for structured"):
        check(tmp_path, "score", ["--monitor"])


def test_production_needs_workers(tmp_path):
    with pytest.raises(WrongOptions, match="give --max-workers above 0"):
        check(tmp_path, "server", [*REGRESSION, "--production"])
    check(tmp_path, "server", [*REGRESSION, "--production", "--max-workers", "1"])


def test_two_ways_of_monitoring_end_with_2(tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        check(
            tmp_path,
            "score",
            REGRESSION,
            {"MONITOR": "1", "MLOPS_REPORTING_FROM_UNSTRUCTURED_MODELS": "1"},
        )
    assert ended.value.code == 2
    assert "exclude each other" in capsys.readouterr().err


def test_the_message_and_the_help_are_on_stdout(polyhost, tmp_path):
    (tmp_path / "model").mkdir()
    done = polyhost(
        *["server", "-cd", "model", "--address", "localhost:1", *REGRESSION, "--query", "a=1"],
    )
    assert (done.code, done.err) == (1, "")
    assert done.out.startswith("--query is for unstructured models; found target type regression.")
    assert "usage: polyhost server" in done.out
