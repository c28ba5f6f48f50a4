"""Python packages of the checkout's environment."""

from __future__ import annotations

from collections.abc import Iterable

from shell import ROOT, VENV, once, step


def install(name: str, extras: Iterable[str], key: str = "") -> None:
    """Install the project with extras, unless its dependencies are as they were."""
    project = (ROOT / "pyproject.toml").read_text().split("\n[tool.ruff")[0]
    arguments = ["install", "-q", "-e", f".[{','.join(extras)}]"]
    once(
        f"pip-{name}",
        f"{(VENV / 'pyvenv.cfg').stat().st_mtime_ns} {key} {project}",
        lambda: pip(f"installing Python packages ({name})", arguments, log=f"pip-{name}"),
    )


def pip(what: str, arguments: list[str], *, log: str) -> None:
    """Run pip in the environment; rpy2 is built against R's headers there."""
    command = [str(VENV / "bin/python"), "-m", "pip", "--disable-pip-version-check", "--no-input"]
    step(what, ["env", "RPY2_CFFI_MODE=API", *command, *arguments], log=log)
