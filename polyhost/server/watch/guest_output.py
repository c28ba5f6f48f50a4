"""What guest code prints, passed on: as it comes, by lines with the model's name, or as JSON."""

from __future__ import annotations

import sys
from typing import Dict, List, Tuple

from polyhost.logs import guest_lines

LONGEST_LINE = 16 << 10


class GuestOutput:
    """The sink of every worker's output.

    ``named``: whole lines, the model's name before them; otherwise bytes as they come (one
    model). ``json``: whole lines as records of the log, on standard error, with the worker and the
    request that printed them.
    """

    def __init__(self, *, named: bool, json: bool = False) -> None:
        self._named = named
        self._json = json
        self._rest: Dict[Tuple[int, str], Tuple[str, bytes]] = {}

    def __call__(self, model: str, stream: str, data: bytes, pid: int, request: str) -> None:
        """Pass on one piece; an empty one ends the line that the worker was writing."""
        out = sys.stdout if stream == "stdout" and not self._json else sys.stderr
        if self._json:
            data = b"".join(
                guest_lines(lines, model=model, stream=stream, worker=pid, request=of)
                for of, lines in self._lines(stream, data, pid, request)
            )
        elif self._named:
            label = f"[{model}] ".encode()
            found = self._lines(stream, data, pid, "")
            data = b"".join(label + line + b"\n" for _, lines in found for line in lines)
        if not data:
            return
        try:
            out.buffer.write(data)
            out.buffer.flush()
        except OSError:
            self._rest.clear()  # nobody reads our output any more

    def _lines(
        self, stream: str, data: bytes, pid: int, request: str
    ) -> List[Tuple[str, List[bytes]]]:
        """Lines that are now whole, by the request that printed them; the rest is kept."""
        found: List[Tuple[str, List[bytes]]] = []
        owner, text = self._rest.pop((pid, stream), ("", b""))
        if text and (owner != request or not data):
            found.append((owner, [text]))
            text = b""
        *lines, rest = (text + data).split(b"\n")
        if len(rest) > LONGEST_LINE:
            lines.append(rest)
        elif rest:
            self._rest[pid, stream] = request, rest
        if lines:
            found.append((request, lines))
        return found
