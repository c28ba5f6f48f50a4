"""Print what is installed in the container that runs this, as JSON: system, Python, R, Java, Julia.

It is run inside an image by the image's own Python, with nothing beside it.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

FIELDS = "${Package}\t${Version}\t${Architecture}\t${db:Status-Status}\n"
POM = re.compile(r"META-INF/maven/[^/]+/[^/]+/pom\.properties$")
R_LIBRARIES = ("/usr/lib/R/library", "/usr/lib/R/site-library", "/usr/local/lib/R/site-library")

Found = Iterator[dict[str, str]]


def debian() -> Found:
    """Debian's packages."""
    printed = subprocess.run(
        ["dpkg-query", "-W", "-f", FIELDS], capture_output=True, text=True, check=True
    ).stdout
    for line in printed.splitlines():
        name, version, architecture, status = line.split("\t")
        if status == "installed":
            yield {"kind": "deb", "name": name, "version": version, "architecture": architecture}


def python() -> Found:
    """Packages of the Python that runs this."""
    for found in importlib.metadata.distributions():
        about = found.metadata
        terms = "".join(about.get_all("License-Expression") or [])
        yield {"kind": "pypi", "name": about["Name"], "version": found.version, "license": terms}


def r() -> Found:
    """R's packages."""
    for library in R_LIBRARIES:
        for file in sorted(Path(library).glob("*/DESCRIPTION")):
            text = file.read_text(encoding="utf-8", errors="replace")
            fields = dict(re.findall(r"^(Package|Version): *(\S+)", text, re.MULTILINE))
            yield {"kind": "cran", "name": fields["Package"], "version": fields["Version"]}


def java() -> Found:
    """The jars of Python's packages: the Maven projects that one names, or else the file."""
    for file in sorted(Path(sys.prefix).rglob("*.jar")):
        with zipfile.ZipFile(file) as archive:
            named = [archive.read(name) for name in filter(POM.search, archive.namelist())]
        for text in named:
            fields = dict(
                re.findall(r"^(groupId|artifactId|version)=(\S+)", text.decode(), re.MULTILINE)
            )
            yield {
                "kind": "maven",
                "group": fields.get("groupId", ""),
                "name": fields.get("artifactId", ""),
                "version": fields.get("version", ""),
            }
        if not named:
            digest = hashlib.sha256(file.read_bytes()).hexdigest()
            yield {"kind": "generic", "name": file.name, "version": "", "sha256": digest}


def julia() -> Found:
    """The packages of the image's Julia project."""
    for file in sorted(Path("/opt/julia/project").glob("Manifest.toml")):
        text = file.read_text(encoding="utf-8")
        for name, block in re.findall(r"^\[\[(\w+)\]\]\n((?:[^\[].*\n|\n)*)", text, re.MULTILINE):
            version = re.search(r'^version = "(.+)"$', block, re.MULTILINE)
            yield {"kind": "julia", "name": name, "version": version[1] if version else ""}


if __name__ == "__main__":
    unique = {
        json.dumps(one, sort_keys=True): one
        for language in (debian, python, r, java, julia)
        for one in language()
    }
    print(json.dumps(list(unique.values())))
