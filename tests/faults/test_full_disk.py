"""Large bodies while there is no room to keep them: refused, and nothing else is touched."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psutil
import pytest
from faults.town import MODELS, rows
from support.served import Served

ROOM, ROWS = 40 << 20, 60
"""Bytes that a file may have, and rows of 1 MiB of a body that is spooled to disk."""


@contextmanager
def full_disk(served: Served) -> Iterator[None]:
    """No file of the host may grow beyond ROOM: the kernel refuses as a full disk does."""
    serving = served.serving()
    before = [process.rlimit(psutil.RLIMIT_FSIZE) for process in serving]
    for process, (_, hard) in zip(serving, before, strict=True):
        process.rlimit(psutil.RLIMIT_FSIZE, (ROOM, hard))
    try:
        yield
    finally:
        for process, limits in zip(serving, before, strict=True):
            process.rlimit(psutil.RLIMIT_FSIZE, limits)


@pytest.mark.parametrize("fronts", [1, 2])
def test_a_body_that_cannot_be_kept_is_refused(serve: Callable[..., Served], fronts: int) -> None:
    model = MODELS / "obeys" / "python"
    served = serve(model, "--target-type", "regression", "--fronts", fronts)
    assert len(served.serving()) == (1 if fronts == 1 else 2 + fronts)
    good = rows("none")
    large = "a,order,more\n" + f"1,none,{'x' * (1 << 20)}\n" * ROWS
    assert served.post("/predict/", good).json() == {"predictions": [2.0]}
    descriptors, temporary = served.descriptors(), len(list((served.folder / "tmp").iterdir()))
    with full_disk(served):
        for _ in range(3):
            refused = served.post("/predict/", large)
            assert refused.status_code == 507
            assert "cannot keep this body" in refused.json()["message"]
            assert served.post("/predict/", good).json() == {"predictions": [2.0]}
    assert served.descriptors() == descriptors
    assert len(list((served.folder / "tmp").iterdir())) == temporary
    answered = served.post("/predict/", large)
    assert answered.json() == {"predictions": [2.0] * ROWS}
