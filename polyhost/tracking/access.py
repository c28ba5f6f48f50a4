"""Where the tracking server is and how to show who we are: MLflow's own variables.

Nothing of it is ever logged: :attr:`Access.uri` and :attr:`Access.registry` hold no user and no
password, and the rest stays out of ``repr``.
"""

from __future__ import annotations

import configparser
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

from polyhost.data.booleans import boolean
from polyhost.errors import SettingsError

URI = "MLFLOW_TRACKING_URI"
REGISTRY_URI = "MLFLOW_REGISTRY_URI"
TIMEOUT = 120.0
"""Seconds that a request may take without a byte, as MLflow's own client waits."""
DEFAULT_DATABASE, DEFAULT_FOLDER = "mlflow.db", "mlruns"
"""What MLflow writes into the current folder when no server is set: since 3.7, and before."""


@dataclass(frozen=True)
class Access:
    """A tracking server or store, and a registry where that is another.

    ``verify``: whether TLS certificates are checked. ``authority``: file of the certificates to
    check against. ``certificate``: our own, with its key.
    """

    uri: str
    registry: str
    user: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)
    verify: bool = True
    authority: str | None = None
    certificate: str | None = field(default=None, repr=False)
    timeout: float = TIMEOUT

    @classmethod
    def of(cls, environ: Mapping[str, str], uri: str | None = None) -> Access:
        """What the variables say; ``uri`` comes before theirs. SettingsError for a wrong value."""
        uri = uri or environ.get(URI) or _default_uri()
        registry = environ.get(REGISTRY_URI) or uri
        user, password = _file_credentials(environ)
        plain, own_user, own_password = _without_user(uri)
        found = cls(
            uri=plain,
            registry=_without_user(registry)[0],
            user=environ.get("MLFLOW_TRACKING_USERNAME") or own_user or user,
            password=environ.get("MLFLOW_TRACKING_PASSWORD") or own_password or password,
            token=environ.get("MLFLOW_TRACKING_TOKEN") or None,
            verify=not _switch(environ, "MLFLOW_TRACKING_INSECURE_TLS"),
            authority=environ.get("MLFLOW_TRACKING_SERVER_CERT_PATH") or None,
            certificate=environ.get("MLFLOW_TRACKING_CLIENT_CERT_PATH") or None,
        )
        seconds = environ.get("MLFLOW_HTTP_REQUEST_TIMEOUT")
        return replace(found, timeout=_seconds(seconds)) if seconds else found


def _default_uri() -> str:
    if os.path.isfile(DEFAULT_DATABASE) or not os.path.isdir(DEFAULT_FOLDER):
        return f"sqlite:///{DEFAULT_DATABASE}"
    return DEFAULT_FOLDER


def _without_user(uri: str) -> tuple[str, str | None, str | None]:
    """An address without the user and password in it, and those."""
    parts = urlsplit(uri)
    if parts.scheme not in ("http", "https") or "@" not in parts.netloc:
        return uri, None, None
    host = parts.netloc.rpartition("@")[2]
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    return urlunsplit(parts._replace(netloc=host)), user or None, password or None


def _file_credentials(environ: Mapping[str, str]) -> tuple[str | None, str | None]:
    """What ``~/.mlflow/credentials`` says."""
    home = environ.get("HOME")
    path = (Path(home) if home else Path.home()) / ".mlflow" / "credentials"
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read(path, encoding="utf-8")
    except (OSError, configparser.Error, UnicodeDecodeError) as error:
        raise SettingsError(
            f"cannot read {path}: {type(error).__name__}. Expected a section [mlflow] with "
            "mlflow_tracking_username and mlflow_tracking_password. Fix the file, or move it away."
        ) from None
    if not parser.has_section("mlflow"):
        return None, None
    section = parser["mlflow"]
    return section.get("mlflow_tracking_username"), section.get("mlflow_tracking_password")


def _switch(environ: Mapping[str, str], name: str) -> bool:
    text = environ.get(name)
    if not text:
        return False
    found = boolean(text)
    if found is None:
        raise SettingsError(f"{name} is {text!r}: expected true or false.")
    return found


def _seconds(text: str) -> float:
    try:
        found = float(text)
    except ValueError:
        found = 0.0
    if not 0 < found < 1e6:
        raise SettingsError(f"MLFLOW_HTTP_REQUEST_TIMEOUT is {text!r}: expected seconds.")
    return found
