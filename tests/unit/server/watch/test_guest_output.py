"""Guest output on its way to the host's own streams."""

from __future__ import annotations

import json

import pytest

from polyhost.server.watch.guest_output import LONGEST_LINE, GuestOutput


def test_one_models_output_passes_as_it_is(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    output = GuestOutput(named=False)
    output("m", "stdout", b"a\nb", 1, "")
    output("m", "stderr", b"c", 1, "")
    output("m", "stdout", b"", 1, "")
    assert capfdbinary.readouterr() == (b"a\nb", b"c")


def test_lines_get_their_models_name_and_workers_do_not_mix(
    capfdbinary: pytest.CaptureFixture[bytes],
) -> None:
    output = GuestOutput(named=True)
    output("m", "stdout", b"one ", 1, "")
    output("m", "stdout", b"other\n", 2, "")
    output("m", "stdout", b"whole\nlast", 1, "")
    output("m", "stdout", b"", 1, "")
    assert capfdbinary.readouterr().out == b"[m] other\n[m] one whole\n[m] last\n"


def test_a_line_without_end_is_cut(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    output = GuestOutput(named=True)
    output("m", "stdout", b"x" * (LONGEST_LINE + 1), 1, "")
    assert capfdbinary.readouterr().out == b"[m] " + b"x" * (LONGEST_LINE + 1) + b"\n"


def test_json_lines_say_who_printed_and_for_which_request(
    capfdbinary: pytest.CaptureFixture[bytes],
) -> None:
    output = GuestOutput(named=True, json=True)
    output("m", "stdout", b"loading\nhalf", 7, "")
    output("m", "stdout", 'für a\n"b'.encode(), 7, "req-1")
    output("m", "stdout", b"idle\n", 7, "")
    output("m", "stderr", b"\xff\n", 7, "req-1")
    out, err = capfdbinary.readouterr()
    assert out == b""
    lines = [json.loads(line) for line in err.splitlines()]
    assert all(line.pop("time").endswith("Z") for line in lines)
    common = {"level": "info", "logger": "polyhost.guest", "model": "m", "worker": 7}
    assert lines == [
        {**common, "stream": "stdout", "message": "loading"},
        {**common, "stream": "stdout", "message": "half"},
        {**common, "stream": "stdout", "message": "für a", "request_id": "req-1"},
        {**common, "stream": "stdout", "message": '"b', "request_id": "req-1"},
        {**common, "stream": "stdout", "message": "idle"},
        {**common, "stream": "stderr", "message": "�", "request_id": "req-1"},
    ]
