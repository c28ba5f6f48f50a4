"""What guest code prints, passed on to the host's own streams."""

from __future__ import annotations

import sys
from typing import Dict, Tuple

LONGEST_LINE = 16 << 10


class GuestOutput:
    """Prints guests' output as it comes (one model), or by lines with the model's name."""

    def __init__(self, *, named: bool) -> None:
        self._named = named
        self._lines: Dict[Tuple[str, str], bytes] = {}

    def __call__(self, model: str, stream: str, data: bytes, pid: int, request: str) -> None:
        sink = (sys.stdout if stream == "stdout" else sys.stderr).buffer
        if self._named:
            data = self._label(model, stream, data)
        try:
            sink.write(data)
            sink.flush()
        except OSError:
            self._lines.clear()  # nobody reads our output any more

    def _label(self, model: str, stream: str, data: bytes) -> bytes:
        text = self._lines.pop((model, stream), b"") + data
        *lines, rest = text.split(b"\n")
        if len(rest) > LONGEST_LINE:
            lines.append(rest)
        elif rest:
            self._lines[model, stream] = rest
        label = f"[{model}] ".encode()
        return b"".join(label + line + b"\n" for line in lines)
