"""multipart/form-data: read without copying the parts, and written."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from typing import Dict, Iterable, List, Match, Optional, Pattern, Tuple
from urllib.parse import unquote

from polyhost.data.payload import Buffer
from polyhost.errors import InvalidInput

_PARAMETER = re.compile(r';\s*([\w!#$&+.^`|~-]+\*?)\s*=\s*("(?:[^"\\]|\\.)*"|[^;\s]*)')


@dataclass(frozen=True)
class FormPart:
    """One field of a form; ``body`` is a view into the request's body."""

    name: str
    body: Buffer
    filename: Optional[str] = None
    content_type: str = ""


def parse(content_type: str, body: Buffer) -> Dict[str, FormPart]:
    """The parts by name; of a repeated name the first counts. InvalidInput when malformed."""
    boundary = _parameters(content_type).get("boundary")
    if not boundary:
        raise InvalidInput(
            f"multipart body without a boundary: expected 'multipart/form-data; boundary=...'; "
            f"found {content_type!r}."
        )
    view = memoryview(body)
    parts: Dict[str, FormPart] = {}
    for start, stop in _spans(view, boundary.encode("latin-1")):
        part = _part(view[start:stop])
        if part is not None:
            parts.setdefault(part.name, part)
    return parts


def _spans(view: memoryview, boundary: bytes) -> List[Tuple[int, int]]:
    """Start and end of each part, headers included."""
    marker = b"--" + re.escape(boundary)
    opening = re.compile(rb"(?:\A|(?<=\n))" + marker + rb"(--)?[ \t]*(\r?\n|\Z)")
    first = opening.search(view)
    if first is None:
        raise InvalidInput(
            f"malformed multipart body: expected a line '--{boundary.decode('latin-1')}'; "
            "found none."
        )
    line_end = rb"\n" if first.group(2) == b"\n" else rb"\r\n"
    delimiter = re.compile(line_end + marker + rb"(--)?[ \t]*(?:" + line_end + rb"|\Z)")
    return [] if first.group(1) else _between(view, delimiter, first.end(), len(first.group(2)))


def _between(
    view: memoryview, delimiter: Pattern[bytes], start: int, newline: int
) -> List[Tuple[int, int]]:
    spans = []
    while True:
        # From the delimiter's own line end, which may be the next delimiter's start as well.
        found: Optional[Match[bytes]] = delimiter.search(view, start - newline)
        if found is None:
            raise InvalidInput(
                "malformed multipart body: the closing boundary is missing; it looks cut short."
            )
        if found.start() >= start:
            spans.append((start, found.start()))
        if found.group(1):
            return spans
        start = found.end()


_BLANK_LINE = re.compile(rb"\A\r?\n|\r?\n\r?\n")


def _part(view: memoryview) -> Optional[FormPart]:
    """The part of a span; None when it names no field."""
    blank = _BLANK_LINE.search(view)
    if blank is None:
        raise InvalidInput("malformed multipart body: a part has no blank line after its headers.")
    headers = _headers(str(view[: blank.start()], "utf-8", "replace"))
    disposition = _parameters(headers.get("content-disposition", ""))
    name = disposition.get("name")
    if name is None:
        return None
    body = view[blank.end() :]
    return FormPart(name, body, disposition.get("filename"), headers.get("content-type", ""))


def _headers(text: str) -> Dict[str, str]:
    lines = re.sub(r"\r?\n[ \t]+", " ", text).splitlines()
    pairs = (line.partition(":") for line in lines if ":" in line)
    return {key.strip().lower(): value.strip() for key, _, value in pairs}


def _parameters(header: str) -> Dict[str, str]:
    found: Dict[str, str] = {}
    for key, value in _PARAMETER.findall(";" + header.partition(";")[2]):
        if value.startswith('"'):
            value = re.sub(r'\\(["\\])', r"\1", value[1:-1])
        if key.endswith("*"):  # RFC 5987: charset'language'percent-encoded
            charset, _, rest = value.partition("'")
            found[key[:-1].lower()] = unquote(rest.partition("'")[2], charset or "utf-8")
        else:
            found.setdefault(key.lower(), value)
    return found


def encode(parts: Iterable[FormPart], boundary: Optional[str] = None) -> Tuple[bytes, str]:
    """A body and its content type; a part with a file name is a file."""
    boundary = boundary or secrets.token_hex(16)
    chunks: List[Buffer] = []
    for part in parts:
        chunks.append(f"--{boundary}\r\n{_part_headers(part)}\r\n".encode())
        chunks.append(part.body)
        chunks.append(b"\r\n")
    chunks.append(f"--{boundary}--\r\n".encode())
    return b"".join(chunks), f"multipart/form-data; boundary={boundary}"


def _part_headers(part: FormPart) -> str:
    text = f'Content-Disposition: form-data; name="{_quoted(part.name)}"'
    if part.filename is not None:
        text += f'; filename="{_quoted(part.filename)}"'
    text += "\r\n"
    return text + (f"Content-Type: {part.content_type}\r\n" if part.content_type else "")


def _quoted(text: str) -> str:
    return text.replace("\r", "%0D").replace("\n", "%0A").replace('"', "%22")
