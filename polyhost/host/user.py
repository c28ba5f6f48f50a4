"""Workers under another user than the host's: who that is, and how a process becomes it."""

from __future__ import annotations

import logging
import os
import pwd
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Dict, Iterable, List, Optional

from polyhost.errors import SettingsError
from polyhost.settings import ServerSettings

logger = logging.getLogger(__name__)

LOOK_LIMIT = 60.0

_LOOK = """
import os, sys
def blocked(path):
    if not os.path.isdir(path):
        return None if os.access(path, os.R_OK) else path
    for folder, _, names in os.walk(path, onerror=errors.append):
        for name in names:
            file = os.path.join(folder, name)
            if not os.access(file, os.R_OK) and not os.path.islink(file):
                return file
    return errors[0].filename if errors else None
errors = []
if not os.access(sys.argv[1], os.X_OK):
    sys.exit(sys.argv[1])
for path in sys.argv[2:]:
    found = blocked(path)
    if found:
        sys.exit(found)
"""


@dataclass(frozen=True)
class WorkerUser:
    """An account that workers run under. Plain data: it crosses to the fork server as JSON."""

    name: str
    uid: int
    gid: int
    groups: List[int]
    home: str

    def to_wire(self) -> Dict[str, Any]:
        return asdict(self)

    @property
    def variables(self) -> Dict[str, str]:
        """Variables that name a process's user."""
        return {"HOME": self.home, "USER": self.name, "LOGNAME": self.name}


def find(name: str) -> WorkerUser:
    """The account of that name; SettingsError when workers cannot run under it."""
    if os.geteuid() != 0:
        raise SettingsError(
            f"--worker-user {name!r}: expected polyhost to be started as root, who alone may "
            f"become another user; found user {os.geteuid()}. Leave --worker-user out."
        )
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        raise SettingsError(
            f"--worker-user: no account {name!r} on this machine. Make one, such as with "
            f"`useradd --system {name}`."
        ) from None
    if entry.pw_uid == 0:
        raise SettingsError(
            f"--worker-user {name!r} is root: expected an account without its rights."
        )
    groups = os.getgrouplist(name, entry.pw_gid)
    return WorkerUser(name, entry.pw_uid, entry.pw_gid, groups, entry.pw_dir)


def check_readable(user: WorkerUser, python: str, paths: Iterable[Path]) -> None:
    """SettingsError naming what a worker needs and the user may not read: code, interpreter, or
    the way to its temporary files."""
    wanted = [tempfile.gettempdir(), *map(str, paths)]
    try:
        done = subprocess.run(
            [python, "-I", "-S", "-c", _LOOK, *wanted],
            user=user.uid,
            group=user.gid,
            extra_groups=user.groups,
            cwd="/",
            env={"PATH": os.defpath},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=LOOK_LIMIT,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise _unreadable(user, python, str(error)) from error
    if done.returncode:
        raise _unreadable(user, done.stderr.strip().splitlines()[-1], "permission denied")


def _unreadable(user: WorkerUser, path: str, why: str) -> SettingsError:
    barrier = _barrier(path)
    return SettingsError(
        f"workers are to run as {user.name!r}, who may not read {path}: {why}"
        f"{f' ({barrier} is closed to others)' if barrier else ''}. Open it to that user, move it "
        "elsewhere, or leave --worker-user out."
    )


def _barrier(path: str) -> Optional[str]:
    """The topmost folder on the way that is closed to others."""
    real = Path(os.path.realpath(path))
    for folder in reversed(real.parents):
        try:
            if not folder.stat().st_mode & 0o001:
                return str(folder)
        except OSError:
            return None
    return None


def find_user(settings: ServerSettings) -> Optional[WorkerUser]:
    """The account that a server's workers run under; None is the host's own."""
    return None if settings.worker_user is None else find(settings.worker_user)


def check_user(settings: ServerSettings) -> None:
    """SettingsError when that account cannot read a model, polyhost or an interpreter; a warning
    when it is root."""
    user = find_user(settings)
    if user is None:
        if os.geteuid() == 0 and not settings.drum:
            logger.warning(
                "running as root, and so do the workers: the code of every model may do anything "
                "on this machine. Give --worker-user NAME, or start as another user."
            )
        return
    package = Path(__file__).resolve().parents[1]
    for model in settings.models:
        python = model.python or sys.executable
        check_readable(user, python, [model.spec.code_dir, package])
