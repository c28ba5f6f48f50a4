"""``polyhost build-image``: an image of one model, on the drop-in image of its kind."""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from polyhost import __version__
from polyhost.cli import model_image
from polyhost.cli.engines import find
from polyhost.cli.flags import SWITCH, TARGET_FLAGS, Flag, add_flags, register
from polyhost.cli.options import check_labels, target_settings
from polyhost.errors import SettingsError

FLAGS = (
    Flag(
        ("-t", "--tag", "-n", "--name"),
        "name of the image [polyhost-model-NAME:latest]",
        options={"metavar": "TAG"},
    ),
    Flag(
        ("--env",),
        "drop-in environment to build on; the one of the model's kind when absent",
        options={"metavar": "NAME", "choices": sorted(model_image.ENVIRONMENTS)},
    ),
    Flag(
        ("--base-image",),
        f"image to build on instead, such as REGISTRY/polyhost-r-lang:{__version__}",
        options={"metavar": "IMAGE"},
    ),
    Flag(("--platform",), "such as linux/arm64", options={"metavar": "OS/ARCHITECTURE"}),
    Flag(("--dry-run",), "print the Dockerfile, and build nothing", options=SWITCH),
    *(Flag(flag.names, flag.help, options=flag.options) for flag in TARGET_FLAGS),
)
register("build-image", FLAGS)


def add_to(commands: Any) -> None:
    """Add the command to the parser's."""
    parser = commands.add_parser("build-image", help="make a container image of one model")
    parser.add_argument("model", nargs="?", metavar="MODEL", help="folder, archive or address")
    parser.add_argument("-m", "--model-uri", metavar="MODEL", help="the same, as MLflow has it")
    add_flags(parser, FLAGS)
    parser.set_defaults(run=run, parser=parser)


def run(options: argparse.Namespace) -> int:
    """Write the Dockerfile, and build it."""
    check_labels(options.parser, options)
    if bool(options.model) == bool(options.model_uri):
        options.parser.error("expected one MODEL, or -m MODEL")
    source = options.model or options.model_uri
    with _opened(source) as (folder, name):
        image = model_image.describe(
            folder,
            name,
            target_settings(options),
            language=options.language,
            environment=options.env,
            base=options.base_image,
        )
        if options.dry_run:
            print(image.dockerfile(), end="")
            return 0
        tag = options.tag or f"polyhost-model-{_slug(image.name)}:latest"
        image_id = _build(image, tag, options.platform)
    print(f"Image successfully built; tag: {tag}; image id: {image_id}", flush=True)
    return 0


def _build(image: model_image.ModelImage, tag: str, platform: str | None) -> str:
    engine = find()
    if not image.base_given and not engine.has(image.base):
        raise SettingsError(
            f"no image {image.base} here, which {image.name!r} is to be built on. Make it with "
            f"`make image NAME={image.environment}` in polyhost's sources, or name one that can be "
            "pulled with --base-image."
        )
    with tempfile.TemporaryDirectory(prefix="polyhost-") as place:
        context = Path(place)
        shutil.copytree(
            image.folder,
            context / "model",
            copy_function=_link,
            ignore=shutil.ignore_patterns(".git", "__pycache__"),
        )
        for name, text in image.files.items():
            (context / name).write_text(text, encoding="utf-8")
        (context / "Dockerfile").write_text(image.dockerfile(), encoding="utf-8")
        return engine.build(context, tag, platform=platform)


def _link(source: str, target: str) -> None:
    """A model may be large: its files are linked where the file system can."""
    try:
        os.link(os.path.realpath(source), target)
    except OSError:
        shutil.copy2(source, target)


@contextlib.contextmanager
def _opened(source: str) -> Iterator[tuple[Path, str]]:
    """The folder of a model, and its name; an archive or an address goes through the store."""
    if os.path.isdir(source):
        folder = Path(source).resolve()
        yield folder, folder.name
        return
    from polyhost.store.store import Store, default_store

    with Store(default_store()) as store:
        version = store.add(source)
        yield version.path, version.name


def _slug(name: str) -> str:
    """A name as images may have it."""
    return re.sub("[^a-z0-9]+", "-", name.lower()).strip("-") or "model"
