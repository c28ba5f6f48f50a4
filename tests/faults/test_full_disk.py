"""Large bodies while there is no room to keep them: refused, and nothing else is touched."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psutil
from faults.town import MODELS, rows
from support.served import Served

ROOM, ROWS = 40 << 20, 60
"""Bytes that a file may have, and rows of 1 MiB of a body that is spooled to disk."""


@contextmanager
def full_disk(host: psutil.Process) -> Iterator[None]:
    """No file of the host may grow beyond ROOM: the kernel refuses as a full disk does."""
    before = host.rlimit(psutil.RLIMIT_FSIZE)
    host.rlimit(psutil.RLIMIT_FSIZE, (ROOM, before[1]))
    try:
        yield
    finally:
        host.rlimit(psutil.RLIMIT_FSIZE, before)


def test_a_body_that_cannot_be_kept_is_refused(serve: Callable[..., Served]) -> None:
    served = serve(MODELS / "obeys" / "python", "--target-type", "regression")
    host = psutil.Process(served.process.pid)
    good = rows("none")
    large = "a,order,more\n" + f"1,none,{'x' * (1 << 20)}\n" * ROWS
    assert served.post("/predict/", good).json() == {"predictions": [2.0]}
    descriptors, temporary = served.descriptors(), len(list((served.folder / "tmp").iterdir()))
    with full_disk(host):
        for _ in range(3):
            refused = served.post("/predict/", large)
            assert refused.status_code == 507
            assert "cannot keep this body" in refused.json()["message"]
            assert served.post("/predict/", good).json() == {"predictions": [2.0]}
    assert served.descriptors() == descriptors
    assert len(list((served.folder / "tmp").iterdir())) == temporary
    answered = served.post("/predict/", large)
    assert answered.json() == {"predictions": [2.0] * ROWS}
