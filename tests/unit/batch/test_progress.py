from __future__ import annotations

import io

from polyhost.batch import progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def line(out, clock, **options):
    return progress.ProgressLine(
        out, share=lambda: 0.25, workers=2, pids=list, clock=clock, **options
    )


def test_a_terminal_has_one_live_line():
    out, clock = Terminal(), Clock()
    shown = line(out, clock)
    for clock.now in (10.0, 10.1, 20.0):
        shown.step(1000, 1)
    assert out.getvalue() == (
        "\r1,000 rows, 100 rows/s, 25%, 0:30 left, 1 rejected, 2 workers"
        "\r3,000 rows, 150 rows/s, 25%, 1:00 left, 3 rejected, 2 workers"
    )
    shown.close()
    assert out.getvalue().endswith(" \r")


def test_elsewhere_there_is_a_line_now_and_then():
    out, clock = io.StringIO(), Clock()
    shown = line(out, clock)
    for clock.now in (1.0, 9.0, 10.0, 19.0, 3700.0):
        shown.step(1000, 0)
    assert out.getvalue() == (
        "3,000 rows, 300 rows/s, 25%, 0:30 left, 2 workers\n"
        "5,000 rows, 1 rows/s, 25%, 3:05:00 left, 2 workers\n"
    )


def test_quiet_and_the_summary():
    out, clock = Terminal(), Clock()
    shown = line(out, clock, quiet=True)
    shown.skipped = 400
    clock.now = 20.0
    shown.step(1000, 3)
    shown.close()
    assert out.getvalue() == ""
    assert shown.summary() == (
        "1,000 rows (400 of them before), 3 rejected, 20.0 s, peak memory 0 MB"
    )
