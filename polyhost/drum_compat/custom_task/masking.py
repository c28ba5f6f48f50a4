"""Keeps secrets out of what a process prints and logs."""

from __future__ import annotations

import logging
import re
import sys
from contextlib import contextmanager
from typing import Any, Iterable, Iterator

MASK = "*****"


@contextmanager
def masked(values: Iterable[str]) -> Iterator[None]:
    """In stdout, stderr and log records each of the values reads ``*****``."""
    wanted = sorted({value for value in values if value}, key=len, reverse=True)
    if not wanted:
        yield
        return
    pattern = re.compile("|".join(map(re.escape, wanted)))
    out, err, factory = sys.stdout, sys.stderr, logging.getLogRecordFactory()

    def make(*args: Any, **kwargs: Any) -> logging.LogRecord:
        record = factory(*args, **kwargs)
        record.msg, record.args = pattern.sub(MASK, record.getMessage()), ()
        return record

    sys.stdout, sys.stderr = _Masked(out, pattern), _Masked(err, pattern)
    logging.setLogRecordFactory(make)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = out, err
        logging.setLogRecordFactory(factory)


class _Masked:
    """A text stream; everything but writing is the stream's own."""

    def __init__(self, stream: Any, pattern: Any) -> None:
        self._stream = stream
        self._pattern = pattern

    def write(self, text: str) -> int:
        self._stream.write(self._pattern.sub(MASK, text))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
