"""Lazy loading: files that a model needs and its folder lacks, fetched before it is loaded.

What to fetch is in the variable ``MLOPS_LAZY_LOADING_DATA``, and each credential in one whose name
starts with ``MLOPS_REPOSITORY_SECRET_``; DataRobot sets them, and ``--lazy-loading-file`` does. Files
come from S3, or from what speaks its protocol.
"""

from __future__ import annotations

import json
import logging
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, Mapping, MutableMapping, Optional

from polyhost.errors import LoadError, RuntimeUnavailable, SettingsError
from polyhost.files.replace import replacing

logger = logging.getLogger(__name__)

DATA = "MLOPS_LAZY_LOADING_DATA"
SECRET = "MLOPS_REPOSITORY_SECRET_"
AT_ONCE = 8
"""Files fetched at the same time."""
_KEYS = {
    "files": ("remotePath", "localPath", "repositoryId"),
    "repositories": ("repositoryId", "bucketName", "credentialId"),
    "credentials": ("id", "credentialType"),
}
"""The keys that an entry of each list must have."""


@dataclass(frozen=True)
class Repository:
    """A bucket. ``credential`` is its id; ``endpoint`` None is Amazon's own."""

    id: str
    bucket: str
    credential: str
    endpoint: Optional[str] = None
    verify: bool = True


@dataclass(frozen=True)
class RemoteFile:
    """A file of a bucket, and where it is wanted."""

    remote: str
    local: Path
    repository: Repository


# The file of a local run


def export_file(path: Path, environ: MutableMapping[str, str]) -> None:
    """Set the variables of what a YAML file lists: files, repositories and credentials."""
    from polyhost.code_dir.parameter_file import read_yaml

    document = read_yaml(path)
    where = f"the lazy loading file {path}"
    lists = {name: _entries(document, name, where) for name in _KEYS}
    credentials = lists.pop("credentials")
    for credential in credentials:
        name = SECRET + str(credential["id"]).upper()
        environ[name] = json.dumps({k: v for k, v in credential.items() if k != "id"})
    environ[DATA] = json.dumps(lists)


def _entries(document: Any, name: str, where: str) -> List[Dict[str, Any]]:
    """The entries of a list; SettingsError when one is not as it must be."""
    found = document.get(name) if isinstance(document, dict) else None
    if not isinstance(found, list):
        raise SettingsError(
            f"{where} has no list {name!r}: expected {', '.join(_KEYS)}; found "
            f"{', '.join(map(str, document)) if isinstance(document, dict) else 'no mapping'}."
        )
    for number, entry in enumerate(found, 1):
        missing = [key for key in _KEYS[name] if not isinstance(entry, dict) or not entry.get(key)]
        if missing:
            raise SettingsError(
                f"item {number} of {name} in {where} lacks {', '.join(missing)}: expected "
                f"{', '.join(_KEYS[name])}."
            )
    return found


# Fetching


def fetch(code_dir: Path, environ: Mapping[str, str]) -> List[Path]:
    """Fetch the files that the environment asks for into a code dir; where they now are.

    Files that are there already are replaced, each when it has come whole. Interrupting this ends
    the transfers.
    """
    files = wanted(code_dir, environ)
    if not files:
        return []
    started = time.monotonic()
    repositories = {file.repository.id: file.repository for file in files}
    clients = {id: _client(of, environ) for id, of in repositories.items()}
    stop = threading.Event()
    with ThreadPoolExecutor(AT_ONCE, "lazy-loading") as pool:
        try:
            list(pool.map(lambda file: _fetch(clients[file.repository.id], file, stop), files))
        except BaseException:
            stop.set()
            raise
    logger.info("fetched %d file(s) in %.1f s", len(files), time.monotonic() - started)
    return [file.local for file in files]


def wanted(code_dir: Path, environ: Mapping[str, str]) -> List[RemoteFile]:
    """What the environment asks for; nothing when its variable is not set."""
    text = environ.get(DATA)
    if not text:
        return []
    where = f"the environment variable {DATA}"
    try:
        document = json.loads(text)
    except ValueError as error:
        raise SettingsError(f"{where} is no JSON: {error}.") from error
    repositories = {
        str(entry["repositoryId"]): _repository(entry)
        for entry in _entries(document, "repositories", where)
    }
    files = []
    for entry in _entries(document, "files", where):
        id = str(entry["repositoryId"])
        if id not in repositories:
            raise SettingsError(
                f"{where}: the file {entry['remotePath']!r} is in the repository {id!r}, which is "
                f"not listed; found {', '.join(map(repr, repositories)) or 'none'}."
            )
        local = _place(code_dir, str(entry["localPath"]))
        files.append(RemoteFile(str(entry["remotePath"]), local, repositories[id]))
    return files


def _repository(entry: Mapping[str, Any]) -> Repository:
    return Repository(
        id=str(entry["repositoryId"]),
        bucket=str(entry["bucketName"]),
        credential=str(entry["credentialId"]),
        endpoint=entry.get("endpointUrl") or None,
        verify=entry.get("verifyCertificate", True) is not False,
    )


def _place(code_dir: Path, local: str) -> Path:
    """Below the code dir, unless the path is absolute."""
    place = Path(os.path.normpath(code_dir / local))
    if not os.path.isabs(local) and code_dir not in place.parents:
        raise SettingsError(
            f"the localPath {local!r} leads out of the code dir {code_dir}: expected a path of a "
            "file in it. Give one, or an absolute path."
        )
    return place


def _client(repository: Repository, environ: Mapping[str, str]) -> Any:
    """A client of one repository's bucket, with its credential."""
    secret = _secret(repository, environ)
    try:
        import boto3
    except ImportError as error:
        raise RuntimeUnavailable(
            f"the files of this model are in the bucket {repository.bucket!r}, and fetching them "
            f"needs boto3: {error}. Install it with: pip install 'polyhost[s3]', or fetch the "
            "files before the start."
        ) from error
    return boto3.client(
        "s3",
        endpoint_url=repository.endpoint,
        verify=None if repository.verify else False,
        aws_access_key_id=secret["awsAccessKeyId"],
        aws_secret_access_key=secret["awsSecretAccessKey"],
        aws_session_token=secret.get("awsSessionToken") or None,
    )


def _secret(repository: Repository, environ: Mapping[str, str]) -> Mapping[str, Any]:
    name = SECRET + repository.credential.upper()
    where = f"the credential {repository.credential!r} of the repository {repository.id!r}"
    try:
        secret = json.loads(environ.get(name, ""))
    except ValueError:
        found = "something else" if environ.get(name) else "nothing"
        raise SettingsError(
            f"no {where}: expected a JSON object in the environment variable {name}; found {found}."
        ) from None
    kind = secret.get("credentialType") if isinstance(secret, dict) else None
    if kind != "s3":
        raise SettingsError(f"{where} has the type {kind!r}: expected 's3', the only one there is.")
    missing = [key for key in ("awsAccessKeyId", "awsSecretAccessKey") if not secret.get(key)]
    if missing:
        raise SettingsError(f"{where} lacks {', '.join(missing)}.")
    found_secret: Mapping[str, Any] = secret
    return found_secret


class _Stopped(Exception):
    """Another file could not be fetched, or the command was interrupted."""


def _fetch(client: Any, file: RemoteFile, stop: threading.Event) -> None:
    def go_on(_count: int) -> None:
        if stop.is_set():
            raise _Stopped

    try:
        go_on(0)
        file.local.parent.mkdir(parents=True, exist_ok=True)
        with replacing(file.local) as new:
            client.download_fileobj(file.repository.bucket, file.remote, new, Callback=go_on)
    except _Stopped:
        pass  # what stopped it reports why
    except Exception as error:  # boto3's own, its transport's and the disk's
        stop.set()
        raise LoadError(
            f"cannot fetch {file.remote!r} from the bucket {file.repository.bucket!r} at "
            f"{file.repository.endpoint or 'Amazon S3'} to {file.local}: {error}. Check the path, "
            "the address and the credential."
        ) from error
