"""Build the drop-in images with whichever container engine is here, and report on them.

python tools/images.py render              write what the folders of dropin_envs/ share
python tools/images.py lock [NAME...]      pin what requirements.in of each asks for
python tools/images.py build [NAME...]     build images; without a name, all
python tools/images.py test [NAME...]      build and test images; without a name, those of CI
python tools/images.py facts [NAME...]     measure images that are here, for the documentation
python tools/images.py sbom [NAME...]      list what is in images that are here: build/sbom/*.cdx.json
python tools/images.py context NAME DIR    write what an image is built from, and build nothing

The engine is the first of docker, podman, nerdctl and buildah that works. With buildah alone the
base image is made here by debootstrap; with another engine it is pulled. ``--base`` names another.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from containers import contexts, images, locks

from shell import StepFailed, say

IN_CI = ["python3_sklearn", "java_codegen", "r_lang", "julia_mlj", "polyglot"]
"""What is built and tested beside the suite."""


def main() -> int:
    """Do one command; 0 when it was done."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("render")
    for name in ("lock", "facts", "sbom"):
        commands.add_parser(name).add_argument("names", nargs="*")
    commands.choices["facts"].add_argument("--runs", type=int, default=3)
    for name in ("build", "test"):
        build = commands.add_parser(name)
        build.add_argument("names", nargs="*")
        build.add_argument("--base", help="image of Debian bookworm to start from")
        build.add_argument(
            "--build-arg", action="append", default=[], metavar="NAME=VALUE", dest="arguments"
        )
    context = commands.add_parser("context")
    context.add_argument("name")
    context.add_argument("folder", type=Path)
    options = parser.parse_args()
    try:
        _run(options)
    except StepFailed as error:
        say(f"error: {error}")
        return 1
    return 0


def _run(options: argparse.Namespace) -> None:
    if options.command == "render":
        for path in contexts.render():
            say(f"wrote {path}")
    elif options.command == "lock":
        locks.lock(options.names or contexts.names())
    elif options.command == "build":
        images.build(options.names or contexts.names(), options.base, options.arguments)
    elif options.command == "test":
        images.test(options.names or IN_CI, options.base, options.arguments)
    elif options.command == "facts":
        from containers import facts

        facts.write(options.names or contexts.names(), options.runs)
    elif options.command == "sbom":
        from containers import bill

        bill.write(options.names or contexts.names())
    else:
        contexts.make_context(options.name, images.wheel(), options.folder)


if __name__ == "__main__":
    sys.exit(main())
