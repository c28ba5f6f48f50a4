"""Log lines, as text and as JSON."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest

from polyhost import logs
from polyhost.host.observers import RequestRecord, current

logger = logging.getLogger("polyhost.tests")


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    access = logging.getLogger(logs.ACCESS).level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.getLogger(logs.ACCESS).setLevel(access)


@pytest.fixture
def exchange() -> Iterator[RequestRecord]:
    token = current.set(RequestRecord("id-1", "m"))
    found = current.get()
    assert found is not None
    yield found
    current.reset(token)


def test_text(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("info")
    logger.info("one %d", 1)
    logger.debug("too low")
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith(" INFO polyhost.tests: one 1")


def test_text_names_the_request(
    capsys: pytest.CaptureFixture[str], exchange: RequestRecord
) -> None:
    logs.configure()
    logger.warning("it failed")
    assert capsys.readouterr().err.endswith(": it failed [request id-1]\n")


def test_json(capsys: pytest.CaptureFixture[str], exchange: RequestRecord) -> None:
    logs.configure(format="json")
    try:
        raise ValueError("näh")
    except ValueError:
        logger.exception("line\nbreak %s", "ü", extra={"status": 500, "worker": 7})
    (text,) = capsys.readouterr().err.splitlines()
    line = json.loads(text)
    assert line.pop("time").endswith("Z")
    assert line.pop("exception").endswith("ValueError: näh")
    assert line == {
        "level": "error",
        "logger": "polyhost.tests",
        "message": "line\nbreak ü",
        "request_id": "id-1",
        "model": "m",
        "status": 500,
        "worker": 7,
    }


@pytest.mark.parametrize("access", [True, False])
def test_the_access_log_does_not_depend_on_the_level(
    capsys: pytest.CaptureFixture[str], access: bool
) -> None:
    logs.configure("error", access=access)
    logging.getLogger(logs.ACCESS).info("GET /")
    assert bool(capsys.readouterr().err) is access


@pytest.mark.parametrize(("name", "level"), [("all", 0), ("warn", 30), ("fatal", 50)])
def test_levels_that_only_drum_has(name: str, level: int) -> None:
    logs.configure(name)
    assert logging.getLogger().level == level


def test_the_last_configuration_holds(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("info")
    logs.configure("info", format="json")
    logger.info("once")
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_times_are_utc_to_the_millisecond() -> None:
    assert logs.timestamp(1700000000.1234) == "2023-11-14T22:13:20.123Z"
