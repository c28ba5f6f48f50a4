"""Which Java is installed, read from its files: no JVM is started for it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import List, Optional

from polyhost.bridges.doctor import Finding
from polyhost.bridges.java.jars import class_path
from polyhost.errors import RuntimeUnavailable

OLDEST = 11
INSTALL_JPYPE = "pip install 'polyhost[java]'"
INSTALL_JAVA = "apt-get install openjdk-17-jdk-headless"
_VERSION = re.compile(r'^JAVA_VERSION="(?:1\.)?(\d+)', re.MULTILINE)


@dataclass(frozen=True)
class Java:
    """An installed Java. ``version`` is its feature release, 0 when its files do not say."""

    library: Path
    home: Path
    version: int

    @property
    def has_compiler(self) -> bool:
        """Whether this is a JDK, which POJOs and ``Custom.java`` need."""
        return (self.home / "bin" / "javac").exists()


def find() -> Java:
    """The Java that JPype takes: ``JAVA_HOME``'s, else the one of the system."""
    try:
        import jpype
    except ImportError as error:
        raise RuntimeUnavailable(
            f"Java models need JPype: {error}. Install it with: {INSTALL_JPYPE}", language="java"
        ) from error
    try:
        library = Path(jpype.getDefaultJVMPath()).resolve()
    except jpype.JVMNotFoundException as error:
        raise RuntimeUnavailable(
            f"no Java found: expected Java {OLDEST} or later at JAVA_HOME or in the usual places. "
            f"Install it with: {INSTALL_JAVA}",
            language="java",
        ) from error
    java = _at(library)
    if 0 < java.version < OLDEST:
        raise RuntimeUnavailable(
            f"Java {java.version} at {java.home} is too old: expected Java {OLDEST} or later. "
            f"Install it with: {INSTALL_JAVA}, or point JAVA_HOME at another",
            language="java",
        )
    return java


def _at(library: Path) -> Java:
    """The installation around ``lib/server/libjvm.so``."""
    home = next((p for p in library.parents if (p / "release").is_file()), library.parents[2])
    release = home / "release"
    text = release.read_text(encoding="utf-8", errors="replace") if release.is_file() else ""
    version = _VERSION.search(text)
    return Java(library, home, int(version.group(1)) if version else 0)


def doctor() -> List[Finding]:
    """What is here of the four things Java models need."""
    findings = [_jpype()]
    java: Optional[Java] = None
    if findings[0].ok:
        try:
            java = find()
        except RuntimeUnavailable as error:
            findings.append(Finding("Java", False, error.message, INSTALL_JAVA))
    if java is not None:
        findings.append(Finding("Java", True, f"{java.version or 'unknown'} at {java.home}"))
        findings.append(_compiler(java))
    findings.append(_runtime_jar())
    return findings


def _jpype() -> Finding:
    try:
        import jpype
    except ImportError as error:
        return Finding("JPype", False, str(error), INSTALL_JPYPE)
    return Finding("JPype", True, jpype.__version__)


def _compiler(java: Java) -> Finding:
    what = "Java compiler (for POJOs and Custom.java)"
    if java.has_compiler:
        return Finding(what, True, str(java.home / "bin" / "javac"))
    return Finding(what, False, f"no javac in {java.home}", INSTALL_JAVA)


def _runtime_jar() -> Finding:
    what = "polyhost's Java half"
    try:
        return Finding(what, True, str(class_path()[0]))
    except RuntimeUnavailable as error:
        return Finding(what, False, error.message, error.message.rpartition(": ")[2])
