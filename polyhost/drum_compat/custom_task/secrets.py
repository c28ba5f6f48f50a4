"""Secrets of a custom task: from a folder of files, or from environment variables.

A file's name, or what follows ``<PREFIX>_`` in a variable's, is the secret's name; its text is a
JSON object with ``credential_type`` (or ``credentialType``) and the fields of that type.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Dict, Iterator, Mapping, Optional, Tuple, Type

from polyhost.errors import SettingsError

MOUNT_PATH = "USER_SECRETS_MOUNT_PATH"
PREFIX = "USER_SECRETS_PREFIX"
"""Variables that say where secrets are; the flags of the command line set them."""


@dataclass(frozen=True, repr=False)
class Secret:
    """A credential. What it holds is not shown where it is printed."""

    credential_type: str

    def is_partial_secret(self) -> bool:
        """Whether one of its fields is empty."""
        return any(getattr(self, each.name) in (None, "") for each in fields(self))

    def __repr__(self) -> str:
        return f"{type(self).__name__}(*****)"


@dataclass(frozen=True, repr=False)
class BasicSecret(Secret):
    """A user's name and password."""

    username: Optional[str] = None
    password: Optional[str] = None
    snowflake_account_name: Optional[str] = None


@dataclass(frozen=True, repr=False)
class OauthSecret(Secret):
    """Tokens of OAuth."""

    token: Optional[str] = None
    refresh_token: Optional[str] = None


@dataclass(frozen=True, repr=False)
class S3Secret(Secret):
    """Keys of Amazon Web Services."""

    aws_access_key_id: Optional[str] = None
    aws_secret_access_key: Optional[str] = None
    aws_session_token: Optional[str] = None
    config_id: Optional[str] = None


@dataclass(frozen=True, repr=False)
class AzureSecret(Secret):
    """A connection string of Azure."""

    azure_connection_string: Optional[str] = None


@dataclass(frozen=True, repr=False)
class AzureServicePrincipalSecret(Secret):
    """A service principal of Azure."""

    client_id: Optional[str] = None
    client_secret: Optional[str] = None
    azure_tenant_id: Optional[str] = None
    config_id: Optional[str] = None


@dataclass(frozen=True, repr=False)
class SnowflakeOauthUserAccountSecret(Secret):
    """A Snowflake account by OAuth."""

    client_id: Optional[str] = None
    client_secret: Optional[str] = None
    snowflake_account_name: Optional[str] = None
    oauth_issuer_type: Optional[str] = None
    oauth_issuer_url: Optional[str] = None
    oauth_scopes: Optional[str] = None
    oauth_config_id: Optional[str] = None


@dataclass(frozen=True, repr=False)
class SnowflakeKeyPairUserAccountSecret(Secret):
    """A Snowflake account by key pair."""

    username: Optional[str] = None
    private_key_str: Optional[str] = None
    passphrase: Optional[str] = None
    config_id: Optional[str] = None


@dataclass(frozen=True, repr=False)
class AdlsGen2OauthSecret(Secret):
    """Azure Data Lake Storage by OAuth."""

    client_id: Optional[str] = None
    client_secret: Optional[str] = None
    oauth_scopes: Optional[str] = None
    config_id: Optional[str] = None


@dataclass(frozen=True, repr=False)
class TableauAccessTokenSecret(Secret):
    """A personal access token of Tableau."""

    token_name: Optional[str] = None
    personal_access_token: Optional[str] = None


@dataclass(frozen=True, repr=False)
class DatabricksAccessTokenAccountSecret(Secret):
    """An access token of Databricks."""

    databricks_access_token: Optional[str] = None


@dataclass(frozen=True, repr=False)
class ApiTokenSecret(Secret):
    """A token."""

    api_token: Optional[str] = None


@dataclass(frozen=True, repr=False)
class GCPSecret(Secret):
    """A key of Google Cloud, as the mapping in its file."""

    gcp_key: Optional[Mapping[str, Any]] = None
    google_config_id: Optional[str] = None
    config_id: Optional[str] = None


TYPES: Dict[str, Type[Secret]] = {
    "basic": BasicSecret,
    "oauth": OauthSecret,
    "s3": S3Secret,
    "azure": AzureSecret,
    "azure_service_principal": AzureServicePrincipalSecret,
    "snowflake_oauth_user_account": SnowflakeOauthUserAccountSecret,
    "snowflake_key_pair_user_account": SnowflakeKeyPairUserAccountSecret,
    "adls_gen2_oauth": AdlsGen2OauthSecret,
    "tableau_access_token": TableauAccessTokenSecret,
    "databricks_access_token_account": DatabricksAccessTokenAccountSecret,
    "api_token": ApiTokenSecret,
    "gcp": GCPSecret,
}


def current() -> Dict[str, Secret]:
    """The secrets that this process's environment speaks of."""
    return load(os.environ.get(MOUNT_PATH), os.environ.get(PREFIX), os.environ)


def load(
    mount_path: Optional[str], prefix: Optional[str], environ: Mapping[str, str]
) -> Dict[str, Secret]:
    """Secrets by name; a variable wins over a file of the same name."""
    texts: Dict[str, Tuple[str, str]] = {}
    if mount_path:
        texts.update(_files(Path(mount_path)))
    if prefix:
        start = f"{prefix}_"
        texts.update(
            (name[len(start) :], (f"the variable {name}", text))
            for name, text in environ.items()
            if name.startswith(start) and name not in (MOUNT_PATH, PREFIX)
        )
    return {name: _secret(where, text) for name, (where, text) in texts.items()}


def values_of(secrets: Mapping[str, Secret]) -> Iterator[str]:
    """Every text that must not be shown."""
    for secret in secrets.values():
        for each in fields(secret):
            if each.name != "credential_type":
                yield from _texts(getattr(secret, each.name))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str) and value:
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _texts(inner)


def _files(folder: Path) -> Iterator[Tuple[str, Tuple[str, str]]]:
    if not folder.is_dir():
        raise SettingsError(
            f"no folder of secrets at {folder}: expected one file a secret. Fix {MOUNT_PATH} "
            "(--user-secrets-mount-path).",
            path=str(folder),
        )
    for path in sorted(folder.iterdir()):
        if path.is_file() and not path.name.startswith("."):
            yield path.name, (f"the file {path}", path.read_text(encoding="utf-8"))


def _secret(where: str, text: str) -> Secret:
    try:
        document = json.loads(text)
    except ValueError:
        raise SettingsError(f"{where} holds no JSON: expected a secret.") from None
    if isinstance(document, dict) and isinstance(document.get("payload"), dict):
        document = document["payload"]  # the form of a runtime parameter
    if not isinstance(document, dict):
        raise SettingsError(f"{where} must be a JSON object: expected a secret.")
    given = {_snake(key): value for key, value in document.items()}
    kind = given.get("credential_type")
    if kind not in TYPES:
        raise SettingsError(
            f"{where} has the credential type {kind!r}: expected one of {', '.join(TYPES)}."
        )
    return _make(TYPES[kind], given)


def _make(kind: Type[Secret], given: Mapping[str, Any]) -> Secret:
    known = {each.name for each in fields(kind)}
    return kind(**{name: value for name, value in given.items() if name in known})


def _snake(key: str) -> str:
    """``awsAccessKeyId`` → ``aws_access_key_id``."""
    return re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", key).lower()
