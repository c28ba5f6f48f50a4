"""Which form an answer of rows has: read from a request's ``Accept`` in the host, no body touched."""

from __future__ import annotations

from functools import lru_cache
from typing import Dict, List, NamedTuple, Optional, Tuple

from polyhost.errors import NotAcceptable

JSON = "application/json"
CSV = "text/csv"
LINES = "application/jsonlines"
STREAM = "application/vnd.apache.arrow.stream"
FILE = "application/vnd.apache.arrow.file"
PARQUET = "application/vnd.apache.parquet"
FORM = "multipart/form-data"
"""How DRUM's transforms are answered where nothing else is asked for."""

FORMS: Dict[str, str] = {
    JSON: JSON,
    CSV: CSV,
    LINES: LINES,
    "application/jsonl": LINES,
    "application/x-jsonlines": LINES,
    "application/x-ndjson": LINES,
    STREAM: STREAM,
    "application/x-apache-arrow-stream": STREAM,
    FILE: FILE,
    "application/x-apache-arrow-file": FILE,
    PARQUET: PARQUET,
    "application/x-parquet": PARQUET,
    "application/parquet": PARQUET,
}
"""Types that an answer can have, and the form that each of them names."""


class _Range(NamedTuple):
    """One range of an Accept header."""

    kind: str
    quality: float
    header: str
    """The parameter ``header`` of CSV."""

    @property
    def rank(self) -> Tuple[float, int]:
        """Ranges of equal quality: the one that says more first."""
        return self.quality, 2 - self.kind.count("*")


def form_of(accept: str, content_type: str = "", default: str = JSON, strict: bool = True) -> str:
    """What ``Request.accept`` is for an Accept header: empty for the codec's ``default``. A body of
    JSON lines is answered by lines. Not ``strict``: what cannot be had is disregarded."""
    own = default
    if "json" in content_type:
        sent = content_type.partition(";")[0].strip().lower()
        own = sent if FORMS.get(sent) == LINES else default
    if accept:
        try:
            own = chosen(accept, own)
        except NotAcceptable:
            if strict:
                raise
    return "" if own == default else own


@lru_cache(maxsize=256)
def chosen(accept: str, default: str) -> str:
    """The type that an answer gets: ``default``, or one in ``FORMS`` as the client spelled it. A
    parameter ``header`` of CSV is kept.

    NotAcceptable when the header names types and none of them can be had.
    """
    ranges = sorted(_ranges(accept), key=lambda each: each.rank, reverse=True)
    refused = {each.kind for each in ranges if not each.quality}
    for each in ranges:
        found = _match(each, default, refused)
        if found:
            return found
    if not ranges:
        return default
    raise NotAcceptable(
        f"the answer cannot be {accept!r}: expected one of "
        f"{', '.join(dict.fromkeys([default, *FORMS.values()]))}. Name one of them in Accept, or "
        "leave it out.",
        expected=list(FORMS),
        found=accept,
    )


def _match(each: _Range, default: str, refused: set[str]) -> Optional[str]:
    if not each.quality:
        return None
    kind = each.kind
    if kind == default:
        return kind
    if kind in FORMS:
        return f"{kind};header={each.header}" if each.header and FORMS[kind] == CSV else kind
    for candidate in dict.fromkeys((default, JSON, CSV)):
        if candidate not in refused and kind in ("*/*", candidate.partition("/")[0] + "/*"):
            return candidate
    return None


def _ranges(accept: str) -> List[_Range]:
    found = []
    for text in accept.split(","):
        kind, *parameters = (part.strip() for part in text.lower().split(";"))
        if kind:
            named = dict(part.partition("=")[::2] for part in parameters)
            header = named.get("header", "").strip().strip('"')
            found.append(_Range(kind, _quality(named.get("q", "1")), header))
    return found


def _quality(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0
