"""The image that all others start from, where no registry can be reached: debootstrap and buildah.

It is what ``debian:bookworm-slim`` is: the required packages without documentation. Certificates
that this machine trusts beyond Debian's are put in, so that builds work behind a proxy of its own.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import debian
from shell import StepFailed, output, step, works

NAME = "localhost/polyhost-debian"
RELEASE = "bookworm"
KEPT = ("copyright",)
LEFT_OUT = ("usr/share/doc", "usr/share/man", "usr/share/info", "usr/share/locale")
SLIM = """\
path-exclude /usr/share/doc/*
path-include /usr/share/doc/*/copyright
path-exclude /usr/share/man/*
path-exclude /usr/share/info/*
path-exclude /usr/share/locale/*
"""
SOURCES = """\
deb {mirror} bookworm main
deb {mirror} bookworm-updates main
deb {mirror}-security bookworm-security main
"""
OWN_CERTIFICATES = Path("/usr/local/share/ca-certificates")


def install_tools() -> None:
    """Install buildah and debootstrap where they lack and apt is there."""
    if not shutil.which("buildah") or not shutil.which("debootstrap"):
        debian.install_packages(["buildah", "debootstrap"])
    lacking = [tool for tool in ("buildah", "debootstrap") if not shutil.which(tool)]
    if lacking:
        raise StepFailed(
            f"a base image is made with buildah and debootstrap; not found: {', '.join(lacking)}. "
            "Install them, or give a base that can be pulled: --base debian:bookworm-slim."
        )


def make() -> str:
    """Make the base image unless it is there; its name."""
    install_tools()
    if works("buildah", "inspect", "--type", "image", NAME):
        return NAME
    container = output("buildah", "from", "scratch").strip()
    if not container:
        raise StepFailed("`buildah from scratch` failed: a base image is made as root.")
    try:
        root = Path(output("buildah", "mount", container).strip())
        mirror = debian.mirror()
        step(
            "making the base image",
            [
                "debootstrap",
                "--variant=minbase",
                "--include=ca-certificates",
                RELEASE,
                str(root),
                mirror,
            ],
            log="image-base",
        )
        _slim(root, mirror)
        _trust(root)
        step(
            "keeping the base image", ["buildah", "commit", "-q", container, NAME], log="image-base"
        )
    finally:
        subprocess.run(["buildah", "rm", container], capture_output=True, check=False)
    return NAME


def _slim(root: Path, mirror: str) -> None:
    (root / "etc/dpkg/dpkg.cfg.d/polyhost-slim").write_text(SLIM)
    (root / "etc/apt/sources.list").write_text(SOURCES.format(mirror=mirror.rstrip("/")))
    for pattern in ("var/cache/apt/archives/*.deb", "var/lib/apt/lists/*", "var/log/*"):
        for path in root.glob(pattern):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    for folder in LEFT_OUT:
        for path in (root / folder).rglob("*"):
            if path.is_file() and path.name not in KEPT:
                path.unlink()


def _trust(root: Path) -> None:
    for certificate in OWN_CERTIFICATES.glob("*.crt"):
        shutil.copy2(certificate, root / OWN_CERTIFICATES.relative_to("/"))
    subprocess.run(["chroot", str(root), "update-ca-certificates"], capture_output=True, check=True)
