"""Sources at ``s3://BUCKET/KEY``: a folder of objects, or an archive.

Credentials, region and endpoint are found as every client of Amazon's finds them; MLflow's variables
for an endpoint of one's own hold too.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Any

from polyhost.data.booleans import boolean
from polyhost.errors import RuntimeUnavailable, SourceError
from polyhost.store.draft import Draft, Reader

SCHEME = "s3://"
ENDPOINT = "MLFLOW_S3_ENDPOINT_URL"
IGNORE_TLS = "MLFLOW_S3_IGNORE_TLS"


class S3Source:
    """One address, ``s3://BUCKET/KEY``."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._bucket, _, key = address.removeprefix(SCHEME).partition("/")
        self._key = key.rstrip("/")
        self._client = _client(address)

    def fill_folder(self, draft: Draft) -> bool:
        """Read every object below the key; False when there is none."""
        start = f"{self._key}/" if self._key else ""
        found = False
        for key in self._keys(start):
            found = True
            if not key.endswith("/"):  # else an object that marks a folder
                draft.add_file(key[len(start) :], self.open(key))
        return found

    def _keys(self, start: str) -> Iterator[str]:
        pages = self._client.get_paginator("list_objects_v2")
        with _errors(self._address):
            for page in pages.paginate(Bucket=self._bucket, Prefix=start):
                for entry in page.get("Contents", ()):
                    yield str(entry["Key"])

    def open(self, key: str | None = None) -> Reader:
        """Read an object from its start to its end."""
        with _errors(self._address):
            found = self._client.get_object(Bucket=self._bucket, Key=key or self._key)
        return _Body(found["Body"], self._address)


class _Body:
    """The bytes of an object."""

    def __init__(self, body: Any, address: str) -> None:
        self._body = body
        self._address = address

    def read(self, size: int, /) -> bytes:
        with _errors(self._address):
            found: bytes = self._body.read(size)
        return found


@contextlib.contextmanager
def _errors(address: str) -> Iterator[None]:
    """What boto3 raises, as ours."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise SourceError(
            f"cannot read {address}: {error}. See the address, the credentials "
            f"(AWS_ACCESS_KEY_ID, ...) and the endpoint ({ENDPOINT}).",
            source=address,
        ) from error


def _client(address: str) -> Any:
    try:
        import boto3
    except ImportError as error:
        raise RuntimeUnavailable(
            f"{address} cannot be read: {error}. Needed: pip install 'polyhost[s3]'."
        ) from error
    with _errors(address):
        return boto3.Session().client(  # the default one would keep the credentials it found first
            "s3",
            endpoint_url=os.environ.get(ENDPOINT) or None,
            verify=False if boolean(os.environ.get(IGNORE_TLS, "")) else None,
        )
