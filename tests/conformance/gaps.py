"""What a language does not do, and why. Each becomes a strict xfail: support that appears fails.

``never``: the language cannot; ``notyet``: a library it needs cannot; ``notimpl``: we have not.
"""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from polyhost.errors import InvalidOutput, PolyhostError

NEVER, NOTYET, NOTIMPL = "never", "notyet", "notimpl"


@dataclass(frozen=True)
class Gap:
    """Why a pair of scenario and language fails, and with which error."""

    kind: str
    reason: str
    raises: type[PolyhostError]

    def mark(self) -> pytest.MarkDecorator:
        return pytest.mark.xfail(
            reason=f"{self.kind}: {self.reason}", raises=self.raises, strict=True
        )


GAPS: dict[tuple[str, str], Gap] = {
    ("extra_text", "r"): Gap(
        NEVER,
        "extra columns are for classification and regression there, as in DRUM",
        InvalidOutput,
    ),
}
"""By scenario and language."""
