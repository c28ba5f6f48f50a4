"""The record that a language's module fills."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Runner:
    """A test runner: what starts it, and how its summary reads in what it prints."""

    language: str
    name: str
    command: tuple[str, ...]
    summary: str
    folder: str


@dataclass(frozen=True)
class Check:
    """One tool: how to see that it is here, the command that checks, the one that corrects."""

    name: str
    folder: str
    present: tuple[str, ...]
    check: tuple[str, ...]
    fix: tuple[str, ...] = ()


@dataclass(frozen=True)
class Build:
    """A command, run in the checkout, that builds the native half from ``sources`` into ``made``."""

    command: tuple[str, ...]
    sources: tuple[str, ...]
    made: str


@dataclass(frozen=True)
class Apt:
    """Debian packages. ``usable``: they are to be had here, and wanted. ``add_source`` adds the
    source that some come from, given the words that make a command root's; ``held`` come from it
    even where another version is installed."""

    packages: tuple[str, ...]
    usable: Callable[[], bool] = lambda: True
    add_source: Callable[[list[str]], None] | None = None
    held: tuple[str, ...] = ()


@dataclass(frozen=True)
class Language:
    """One language. ``prepare`` raises StepFailed where it cannot be used. ``wheel`` names what its
    package needs at run time, below its folder in runtimes/."""

    name: str
    apt: Apt
    prepare: Callable[[], None]
    runner: Runner
    checks: tuple[Check, ...]
    wheel: tuple[str, ...]
    build: Build | None = None
    extras: tuple[str, ...] = field(default=())
    """Extras of pyproject.toml that its tests need and ``prepare`` does not install."""
