"""What the data loop makes of a request before its dialect sees it."""

from __future__ import annotations

import socket
from types import SimpleNamespace
from typing import Any

from polyhost.worker.loop import DataLoop

META = b'{"op":"predict","dialect":"%s","options":{"max_rows":99,"strict_rows":true}}'


def test_the_models_own_limits_are_in_the_options_of_every_dialects_requests() -> None:
    ours, theirs = socket.socketpair()
    predictor: Any = SimpleNamespace(info=SimpleNamespace(batchable=True))
    limits = {"max_rows": 3, "call_rows": 50}
    loop = DataLoop(theirs, predictor, None, limits=limits)
    for dialect in (b"drum", b"native", b"another"):
        options = loop._request(META % dialect).options
        assert options == {"max_rows": 3, "call_rows": 50, "strict_rows": True}
    ours.close()
    theirs.close()
