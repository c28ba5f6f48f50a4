"""What RFC 9112 asks of a request's head, beyond what the parser checks.

The parser (llhttp) refuses a head that it cannot read, several lengths, and a length beside a
transfer coding. The rest is here: versions, the Host field, the form of the target, codings.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Any, Dict, FrozenSet, Iterable, List, NamedTuple, Optional, Sequence, Set, Tuple
from urllib.parse import unquote

import httptools

Header = Tuple[bytes, bytes]

_HOST = re.compile(
    rb"(?:\[[0-9A-Fa-f:.%]+\]|[A-Za-z0-9._~!$&'()*+,;=%-]*)(?::[0-9]{0,5})?", re.ASCII
)
_KNOWN = 256
"""Values of Host that are remembered as good."""


class Fault(NamedTuple):
    """Why a request is refused."""

    status: int
    text: str


class Target(NamedTuple):
    """The parts of a request target; ``host`` is empty unless it is in absolute form."""

    path: str
    raw_path: bytes
    query: bytes
    host: bytes


class HostRule:
    """Which values of the Host field are answered: any that is well formed, or the names given.

    Remembers values that passed, so that the check of a usual request is one look-up.
    """

    def __init__(self, names: Optional[Iterable[str]] = None) -> None:
        self._names: Optional[FrozenSet[str]] = None
        if names is not None:
            self._names = frozenset(name.lower().strip("[]") for name in names)
        self.good: Set[bytes] = set()

    def fault(self, value: bytes) -> Optional[Fault]:
        """Why requests with this Host are refused; None when they are answered."""
        if value in self.good:
            return None
        if not _HOST.fullmatch(value):
            return Fault(400, "the Host header is not a host name or address with a port")
        if not self._answers(value):
            shown = value.decode("latin-1")
            return Fault(
                421,
                f"this server answers no requests for host {shown!r}: it listens on loopback "
                "without API keys, where other names could come from a page in a browser. Use "
                "localhost, or add the name to allowed_hosts",
            )
        if len(self.good) < _KNOWN:
            self.good.add(value)
        return None

    def _answers(self, value: bytes) -> bool:
        if self._names is None:
            return True
        name = value.decode("latin-1").lower()
        name = name.partition("]")[0][1:] if name.startswith("[") else name.partition(":")[0]
        return is_loopback(name) or name.rstrip(".") in self._names


def is_loopback(name: str) -> bool:
    """Whether a host name or address is one of this machine only."""
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        plain = name.lower().rstrip(".")
        return plain == "localhost" or plain.endswith(".localhost")


def fault_of(
    version: str, headers: Sequence[Header], names: Dict[bytes, bytes], hosts: HostRule
) -> Optional[Fault]:
    """Why a request is refused by its head; None when it is not.

    ``names``: the headers as a dictionary, for what a usual request needs.
    """
    if (
        version == "1.1"
        and len(names) == len(headers)
        and b"transfer-encoding" not in names
        and names.get(b"host") in hosts.good
    ):
        return None
    if version not in ("1.1", "1.0"):
        return Fault(505, f"HTTP/{version} is not served here: expected HTTP/1.1")
    return _host_fault(version, headers, hosts) or _coding_fault(version, headers)


def _host_fault(version: str, headers: Sequence[Header], hosts: HostRule) -> Optional[Fault]:
    found = [value for name, value in headers if name == b"host"]
    if len(found) > 1:
        return Fault(400, f"the request has {len(found)} Host headers: expected one")
    if found:
        return hosts.fault(found[0])
    if version == "1.1":
        return Fault(400, "the request has no Host header: HTTP/1.1 requires one")
    return None  # of HTTP/1.0, which no browser speaks


def _coding_fault(version: str, headers: Sequence[Header]) -> Optional[Fault]:
    found = [value for name, value in headers if name == b"transfer-encoding"]
    if not found:
        return None
    if version == "1.0":
        return Fault(400, "an HTTP/1.0 request has a Transfer-Encoding header")
    coding = b",".join(found).strip(b" \t").lower()
    if coding != b"chunked":
        shown = coding.decode("latin-1")
        return Fault(501, f"transfer coding {shown!r} is not supported: expected 'chunked' alone")
    return None


def parse_target(method: bytes, url: bytes) -> Optional[Target]:
    """The parts of a request target; None for one that no form allows."""
    if url == b"*":
        return Target("*", b"*", b"", b"") if method == b"OPTIONS" else None
    try:
        parsed: Any = httptools.parse_url(url)
    except httptools.HttpParserInvalidURLError:
        return None
    raw, host = parsed.path, parsed.host or b""
    if parsed.fragment is not None or (raw is None and not host):
        return None
    raw = raw or b"/"
    path = raw.decode("latin-1")
    if "%" in path:
        path = unquote(path)
    if b":" in host:
        host = b"[%b]" % host
    if host and parsed.port:
        host = b"%b:%d" % (host, parsed.port)
    return Target(path, raw, parsed.query or b"", host)


def without_upgrade(headers: Sequence[Header]) -> List[Header]:
    """The headers of a request whose offer to change protocols is not taken."""
    kept: List[Header] = []
    for name, value in headers:
        if name in (b"upgrade", b"http2-settings"):
            continue
        if name == b"connection":
            tokens = [token.strip() for token in value.split(b",")]
            left = [t for t in tokens if t.lower() not in (b"upgrade", b"http2-settings")]
            if not left:
                continue
            value = b", ".join(left)
        kept.append((name, value))
    return kept
