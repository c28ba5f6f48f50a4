"""Encryption of a server's connections."""

from __future__ import annotations

import os
import ssl
import stat

from polyhost.errors import SettingsError
from polyhost.settings import Tls


def context(tls: Tls) -> ssl.SSLContext:
    """What connections are encrypted with; SettingsError when the two files cannot serve."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    made.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    load(made, tls)
    made.set_alpn_protocols(["http/1.1"])
    return made


def load(context: ssl.SSLContext, tls: Tls) -> None:
    """Have new connections encrypted with the two files as they are now; SettingsError as above."""
    try:
        context.load_cert_chain(tls.certificate, tls.key, password=_no_password)
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
        raise SettingsError(
            f"TLS cannot be set up: expected {tls.certificate} to hold a certificate chain in PEM, "
            f"and {tls.key} its key without a password; found: {reason}. Mend the files, or take "
            "tls away."
        ) from error


def _no_password() -> str:
    raise ValueError("the key has a password, and nobody is there to type it")


def exposed_key(tls: Tls) -> str:
    """What to warn of when others on this machine may read the key; empty when none may."""
    mode = stat.S_IMODE(os.stat(tls.key).st_mode)
    if not mode & 0o004:
        return ""
    return f"every user of this machine may read {tls.key} (mode {mode:o}): chmod 600 it."
