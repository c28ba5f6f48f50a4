"""``--docker``: the same command, in a container that holds the model's environment.

The paths of the command line are mounted at fixed places and named by these inside. The image may
hold polyhost or DRUM: whichever answers is run.
"""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from polyhost import __version__
from polyhost.cli.engines import Container, ContainerEngine, find
from polyhost.cli.flags import Flag
from polyhost.cli.options import as_words, spoken
from polyhost.errors import SettingsError
from polyhost.files.replace import replacing

PLACES = {
    "code_dir": "/opt/model",
    "input": "/opt/input",
    "output": "/opt/output.csv",
    "target_csv": "/opt/fit_target.csv",
    "row_weights_csv": "/opt/fit_row_weights.csv",
    "parameter_file": "/opt/fit_parameters.json",
    "runtime_params_file": "/opt/runtime_parameters.yaml",
    "lazy_loading_file": "/opt/lazy_loading.yaml",
    "sparse_column_file": "/opt/sparse_columns.txt",
    "deployment_config": "/opt/deployment_config.json",
}
"""Where a path of the command line is inside, by its flag."""

FOLDER_OF_FIT = "/opt/fit_output_dir"
OURS = ("docker", "memory", "skip_deps_install", "exit_zero")
VARIABLES = ("TARGET_NAME", "URL_PREFIX")
LOOPBACK = ("localhost", "127.0.0.1", "::1")


def run(options: argparse.Namespace, flags: Sequence[Flag]) -> int:
    """Run the command of these options in a container; its exit code."""
    engine = find()
    image = _image(engine, options)
    inside = _inside(options, flags)
    places = {k: _place(k, v) for k, v in inside.items() if isinstance(v, Path)}
    with _output(inside) as done:
        code = engine.run(_container(engine, image, options, flags, inside, places))
        done(code)
    return code


def _container(
    engine: ContainerEngine,
    image: str,
    options: argparse.Namespace,
    flags: Sequence[Flag],
    inside: dict[str, Any],
    places: dict[str, str],
) -> Container:
    return Container(
        image,
        (_program(engine, image), options.command, *as_words({**inside, **places}, flags)),
        tuple((inside[k], place) for k, place in places.items()),
        port=_published(options.address) if "address" in options else None,
        memory=options.memory,
        user=f"{os.getuid()}:{os.getgid()}",
        environment=tuple(
            (name, options.environment[name]) for name in VARIABLES if options.environment.get(name)
        ),
    )


def _inside(options: argparse.Namespace, flags: Sequence[Flag]) -> dict[str, Any]:
    """What was said, for the command inside; paths are still those of here."""
    values = {k: v for k, v in spoken(options, flags).items() if k not in OURS}
    if "class_labels_file" in values:
        from polyhost.code_dir.metadata import read_labels

        values["class_labels"] = read_labels(values.pop("class_labels_file"))
    if "address" in values:
        values["address"] = f"0.0.0.0:{_port(values['address'])}"
    return values


def _place(dest: str, path: Path) -> str:
    """The path inside; an input keeps the end of its name where that says what it is."""
    if dest == "input":
        return PLACES[dest] + (
            path.suffix if path.suffix in (".mtx", ".arrow", ".parquet") else ".csv"
        )
    if dest == "output" and path.is_dir():
        return FOLDER_OF_FIT
    return PLACES.get(dest, f"/opt/{dest}{path.suffix}")


@contextmanager
def _output(inside: dict[str, Any]) -> Iterator[Callable[[int], None]]:
    """Mount a new file for ``--output``, since only what is there can be mounted.

    What this gives is called with the exit code: after a success the file replaces the output.
    """
    output = inside.get("output")
    if output is None or output.is_dir():
        yield lambda _code: None
        return
    with tempfile.TemporaryDirectory(prefix=".polyhost-", dir=output.parent) as folder:
        new = inside["output"] = Path(folder) / output.name
        new.touch()

        def done(code: int) -> None:
            if code == 0:
                with open(new, "rb") as file, replacing(output) as result:
                    shutil.copyfileobj(file, result)

        yield done


def _port(address: str) -> int:
    from polyhost.cli.server import split_address

    if ":" not in address.rpartition("]")[2]:
        raise SettingsError(
            f"--address {address!r} lacks a port: --docker publishes it. Give HOST:PORT."
        )
    return split_address(address)[1]


def _published(address: str) -> str:
    """The port as the engine takes it; one of a loopback address stays there."""
    port = _port(address)
    host = address.rpartition(":")[0].strip("[]")
    return f"127.0.0.1:{port}:{port}" if host in LOOPBACK else f"{port}:{port}"


def _program(engine: ContainerEngine, image: str) -> str:
    """The name of the command in the image; a warning when it is of another version."""
    program, _, version = engine.version(image).partition(" ")
    if program == "drum":
        print(f"polyhost: {image} holds drum {version}, which will run.", file=sys.stderr)
    elif version != __version__:
        found = f"{program} {version}".strip() or "none"
        print(
            f"polyhost: the version inside {image} differs: this is {__version__}, found {found}.",
            file=sys.stderr,
        )
    return program if program in ("polyhost", "drum") else "polyhost"


# The image


def _image(engine: ContainerEngine, options: argparse.Namespace) -> str:
    """The name of the image to run; a folder is built first."""
    context = Path(options.docker)
    if not context.is_dir():
        if engine.has(options.docker):
            return str(options.docker)
        raise SettingsError(
            f"no image and no folder {options.docker!r}: expected an image that {engine.program} "
            f"has here, or a folder with a Dockerfile. Pull the image, or give the folder."
        )
    tag = tag_of(context.resolve())
    with tempfile.TemporaryDirectory(prefix="polyhost-") as folder:
        extra = () if options.skip_deps_install else _install_lines(options)
        image_id = engine.build(_with_lines(context, extra, Path(folder)), tag)
    print(f"Image successfully built; tag: {tag}; image id: {image_id}", flush=True)
    return tag


def tag_of(context: Path) -> str:
    """``parent/folder`` in lower case, as image names must be."""
    return "/".join(part.strip("_") for part in context.parts[-2:]).lower().lstrip("/")


def _with_lines(context: Path, lines: tuple[str, ...], folder: Path) -> Path:
    """The context, or a copy of it with more lines in its Dockerfile."""
    if not lines:
        return context
    copy = folder / "context"
    shutil.copytree(context, copy, symlinks=True)
    with open(copy / "Dockerfile", "a", encoding="utf-8") as dockerfile:
        dockerfile.write("\n" + "\n".join(lines) + "\n")
    return copy


def _install_lines(options: argparse.Namespace) -> tuple[str, ...]:
    """Lines of a Dockerfile that install the model's own requirements."""
    file = options.code_dir / "requirements.txt"
    if not file.is_file():
        return ()
    from polyhost.bridges import bridge_for
    from polyhost.code_dir.inspect import inspect

    written = [line.strip() for line in file.read_text(encoding="utf-8").splitlines()]
    wanted = [line for line in written if line and not line.startswith("#")]
    language = inspect(options.code_dir, options.language).language
    install = bridge_for(language).image_install
    if not install:
        print(
            f"polyhost: {file.name} is not installed: {language} has no packages to install. "
            "Put them into the image.",
            file=sys.stderr,
        )
    if not wanted or not install:
        return ()
    return (
        install.format(
            words=" ".join(map(shlex.quote, wanted)),
            strings=", ".join(f'"{name}"' for name in wanted),
        ),
    )
