"""Sources at an address: ``s3://``, what fsspec knows (``gs://``), and archives over HTTP.

An address may end in ``#sha256=HEX``: the digest of the archive, which is then checked.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from polyhost.errors import DigestMismatch, RuntimeUnavailable, SourceError
from polyhost.store import s3
from polyhost.store.archives import ARCHIVES, add_archive
from polyhost.store.draft import BLOCK, Draft, Reader
from polyhost.tracking.http import HttpServer

HTTP = ("http://", "https://")
_DIGEST = re.compile(r"#sha256=(.*)$", re.DOTALL)
_MAGIC = (
    (b"PK\x03\x04", ".zip"),
    (b"\x1f\x8b", ".tar.gz"),
    (b"BZh", ".tar.bz2"),
    (b"\xfd7zXZ\0", ".tar.xz"),
)


def fill_from_address(draft: Draft, address: str) -> None:
    """Read the archive or the folder at an address into the draft."""
    plain, digest = split_digest(address)
    if plain.startswith(HTTP):
        _from_http(draft, plain, digest)
        return
    if plain.startswith(s3.SCHEME):
        _from_s3(draft, plain, digest)
        return
    system, path = _open_address(plain)
    try:
        if system.isdir(path):
            _refuse_digest(address, digest)
            _from_remote_folder(draft, system, path)
        else:
            draft.expect_fits(system.size(path) or 0)
            with system.open(path, "rb") as remote:
                _from_remote_archive(draft, remote, path.rpartition("/")[2], digest)
    except FileNotFoundError as error:
        raise SourceError(f"no source at {shown(address)}: found nothing.") from error


def split_digest(address: str) -> tuple[str, str | None]:
    """An address without its digest, and that; SourceError for one that is none."""
    found = _DIGEST.search(address)
    if found is None:
        return address, None
    if not re.fullmatch(r"[0-9a-fA-F]{64}", found.group(1)):
        raise SourceError(
            f"wrong digest in {shown(address)}: expected #sha256= and 64 hexadecimal digits."
        )
    return address[: found.start()], found.group(1).lower()


def shown(source: str) -> str:
    """A source for messages and notes: without user, password and query, where keys may be."""
    if "://" not in source:
        return source
    parts = urlsplit(source)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=host, query=""))


def _refuse_digest(address: str, digest: str | None) -> None:
    if digest is not None:
        raise SourceError(
            f"{shown(address)} is a folder: a digest is of an archive. Leave it out, or give an "
            f"archive ({', '.join(ARCHIVES)})."
        )


def _from_http(draft: Draft, address: str, digest: str | None) -> None:
    if address.startswith("http://") and digest is None:
        raise SourceError(
            f"{shown(address)} comes over a connection that anyone on the way can change: expected "
            "https://, or #sha256=DIGEST of the archive after the address."
        )
    parts = urlsplit(address)
    path = urlunsplit(("", "", parts.path, parts.query, ""))
    server = HttpServer(f"{parts.scheme}://{parts.netloc}")
    try:
        with server.open(path) as remote:
            _from_remote_archive(draft, remote, parts.path.rpartition("/")[2], digest)
    finally:
        server.close()


def _from_s3(draft: Draft, address: str, digest: str | None) -> None:
    source = s3.S3Source(address)
    if source.fill_folder(draft):
        _refuse_digest(address, digest)
    else:
        _from_remote_archive(draft, source.open(), address.rpartition("/")[2], digest)


def _open_address(address: str) -> tuple[Any, str]:
    try:
        from fsspec.core import url_to_fs
    except ImportError as error:
        raise RuntimeUnavailable(
            f"{address} cannot be read: {error}. Needed: pip install 'polyhost[remote]', and "
            "fsspec's package for this kind of address (gcsfs, adlfs)."
        ) from error
    try:
        found: tuple[Any, str] = url_to_fs(address)
    except (ImportError, ValueError) as error:
        raise SourceError(f"cannot read {address}: {error}.", source=address) from error
    return found


def _from_remote_folder(draft: Draft, system: Any, folder: str) -> None:
    start = len(folder.rstrip("/")) + 1
    for path, facts in sorted(system.find(folder, withdirs=True, detail=True).items()):
        if facts["type"] == "directory":
            draft.add_folder(path[start:].rstrip("/"))
        else:
            with system.open(path, "rb") as file:
                draft.add_file(path[start:], file)


def _from_remote_archive(draft: Draft, remote: Reader, name: str, digest: str | None) -> None:
    local = draft.folder.with_name("download")
    came, found = 0, hashlib.sha256()
    with open(local, "xb") as file:
        while block := remote.read(BLOCK):
            came += len(block)
            draft.expect_fits(came)  # whatever the server said of its size
            found.update(block)
            file.write(block)
    if digest is not None and found.hexdigest() != digest:
        raise DigestMismatch(
            f"{name} is not the archive that was asked for: expected SHA-256 {digest}; found "
            f"{found.hexdigest()}. See who changed it, or give the new digest.",
            file=name,
            expected=digest,
            found=found.hexdigest(),
        )
    add_archive(draft, local, _archive_name(local, name))
    local.unlink()


def _archive_name(path: Path, name: str) -> str:
    """The name of an archive, whose end says its kind; where it does not, its first bytes do."""
    if name.lower().endswith(ARCHIVES):
        return name
    with open(path, "rb") as file:
        start = file.read(8)
    ending = next((ending for magic, ending in _MAGIC if start.startswith(magic)), "")
    return name + ending
