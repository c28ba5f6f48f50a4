"""Set up a checkout: system packages, virtual environments, native halves. Quick when nothing changed.

python3 tools/setup.py                everything
python3 tools/setup.py --runtime r    Python and one other language (may be repeated)
python3 tools/setup.py --no-system    touch no system package, use what is there

Needs Python 3.10 and nothing else. On Debian, as root or with sudo, system packages are installed;
elsewhere it says what is missing and goes on without, except with CI set: there that is an error.
"""

from __future__ import annotations

import argparse
import sys

from client_environments import IN_SETUP, make
from language import Language
from languages import LANGUAGES
from python_packages import install

import debian
from shell import CI, VENV, StepFailed, locked, say, step, works

EXTRAS = ("otel", "sklearn", "test", "dev", *(e for one in LANGUAGES.values() for e in one.extras))


def main() -> int:
    """Do the steps; 0 when all that was asked for is there."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runtime", action="append", choices=("python", *LANGUAGES))
    parser.add_argument("--no-system", action="store_true")
    options = parser.parse_args()
    wanted = [LANGUAGES[name] for name in LANGUAGES if name in (options.runtime or LANGUAGES)]
    try:
        with locked():
            missing = set_up(wanted, system=not options.no_system)
    except StepFailed as error:
        say(f"error: {error}")
        return 1
    for name, why in missing.items():
        say(f"{name} cannot be used here: {why}")
    return 1 if missing and CI else 0


def set_up(languages: list[Language], *, system: bool) -> dict[str, str]:
    """Bring everything for these languages, and the clients of tests; returns which stay unusable, and why."""
    if system:
        debian.install([language.apt for language in languages])
    make_environment()
    missing = {}
    for client in IN_SETUP:
        try:
            make(client)
        except StepFailed as error:
            missing[client] = str(error)
    for language in languages:
        try:
            language.prepare()
        except StepFailed as error:
            missing[language.name] = str(error)
    return missing


def make_environment() -> None:
    """Make .venv with the project and what its tests need."""
    if not works(str(VENV / "bin/python"), "-m", "pip", "--version"):
        step("making .venv", [sys.executable, "-m", "venv", "--clear", str(VENV)], log="venv")
    install("python", EXTRAS)


if __name__ == "__main__":
    sys.exit(main())
