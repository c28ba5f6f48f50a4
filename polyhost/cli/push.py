"""``polyhost push``: upload a model to a DataRobot installation, through its own client.

polyhost is not part of DataRobot. What the client can do from the metadata is done; there is nothing
here without it.
"""

from __future__ import annotations

import argparse
import importlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from polyhost.cli.flags import SWITCH, Flag, add_flags, flags_of, register
from polyhost.cli.report import VIOLATED
from polyhost.code_dir.metadata import FILE_NAME, Metadata, read
from polyhost.data.target import TargetType
from polyhost.errors import PolyhostError, RuntimeUnavailable, SchemaViolation, SettingsError

CONFIG = "~/.config/datarobot/drconfig.yaml"
_SHARED = (
    *("code_dir", "docker", "memory", "skip_deps_install", "verbose", "logging_level"),
    *("user_secrets_mount_path", "user_secrets_prefix"),
)
FLAGS = (
    *(flag for flag in flags_of("score") if flag.dest in _SHARED),
    Flag(
        ("--disable-strict-validation",),
        "a task whose data violates its type schema is uploaded, with a warning",
        options=SWITCH,
    ),
    Flag(("--enable-fit-metadata",), "accepted for old scripts", options=SWITCH),
)
register("push", FLAGS)
NAMES = {
    TargetType.TEXT_GENERATION: "TextGeneration",
    TargetType.GEO_POINT: "GeoPoint",
    TargetType.VECTOR_DATABASE: "VectorDatabase",
    TargetType.AGENTIC_WORKFLOW: "AgenticWorkflow",
}
"""How DataRobot spells a target type, where it is not the capitalised word."""


def add_to(commands: Any) -> None:
    """Add the command to the parser's."""
    parser = commands.add_parser("push", help="upload a model to DataRobot, with its own client")
    add_flags(parser, FLAGS)
    parser.set_defaults(run=run, parser=parser)


def run(options: argparse.Namespace) -> int:
    """Try the model here, then upload it."""
    metadata = read(options.code_dir)
    if metadata is None:
        raise SettingsError(
            f"push needs {FILE_NAME}: found none in {options.code_dir}. It says the model's name, "
            "type, target type and environment."
        )
    if "name" not in metadata.document:
        raise SettingsError(f"push needs a name in {metadata.path}: found none. Add the key name.")
    client = _client()
    _try_here(options, metadata)
    try:
        where = _upload(client, options.code_dir, metadata)
    except PolyhostError:
        raise
    except Exception as error:  # whatever the client raises is printed, not explained
        raise RuntimeUnavailable(f"DataRobot's client failed: {error}") from error
    print(where)
    return 0


def _client() -> Any:
    """The client's module, connected."""
    try:
        datarobot = importlib.import_module("datarobot")
    except ImportError as error:
        raise RuntimeUnavailable(
            "push uploads to a DataRobot installation and needs its client: expected the package "
            f"datarobot; {error}. Install it (pip install datarobot), or serve the model yourself "
            "with polyhost server."
        ) from error
    given = os.environ.get("DATAROBOT_ENDPOINT") and os.environ.get("DATAROBOT_API_TOKEN")
    if not given and not Path(CONFIG).expanduser().is_file():
        raise SettingsError(
            "push needs a DataRobot installation: expected DATAROBOT_ENDPOINT and "
            f"DATAROBOT_API_TOKEN in the environment, or {CONFIG}; found neither."
        )
    datarobot.Client()
    return datarobot


def _try_here(options: argparse.Namespace, metadata: Metadata) -> None:
    """Score, or train on, the validation data that the metadata names."""
    validation = metadata.document.get("validation", {})
    named = validation.get("input")
    if not named:
        return
    places = [Path(named), options.code_dir / named]
    data = next((place for place in places if place.is_file()), None)
    if data is None:
        raise SettingsError(f"{metadata.path}: no validation input at {named!r}.")
    what = "score" if metadata.is_inference else "fit"
    words = [what, "--code-dir", str(options.code_dir), "--input", str(data)]
    if metadata.is_inference:
        words += ["--output", os.devnull]
    else:
        words += _words_of_fit(options, metadata)
    for flag in ("docker", "memory"):
        if getattr(options, flag):
            words += [f"--{flag}", getattr(options, flag)]
    if options.skip_deps_install:
        words.append("--skip-deps-install")
    command = [sys.executable, "-m", "polyhost", *words]
    code = subprocess.run(command, stdin=subprocess.DEVNULL, check=False).returncode
    kind = SchemaViolation if code == VIOLATED else SettingsError
    if code:
        raise kind(
            f"{what} does not work with {data} (status {code}): nothing was uploaded. The reason "
            "is above."
        )


def _words_of_fit(options: argparse.Namespace, metadata: Metadata) -> list[str]:
    words = []
    target = metadata.document.get("validation", {}).get("targetName")
    if target:
        words += ["--target", str(target)]
    for flag in ("user_secrets_mount_path", "user_secrets_prefix"):
        if getattr(options, flag):
            words += ["--" + flag.replace("_", "-"), getattr(options, flag)]
    if options.disable_strict_validation:
        words.append("--disable-strict-validation")
    return words


def _upload(client: Any, code_dir: Path, metadata: Metadata) -> str:
    """Make the model unless the metadata has its id, and a version of it; what was made."""
    kind = TargetType.parse(metadata.target_type)
    document = metadata.document
    model_id = document.get("modelID") or _make(client, metadata, kind)
    versions = client.CustomModelVersion if metadata.is_inference else client.CustomTaskVersion
    version = versions.create_clean(
        model_id,
        base_environment_id=document.get("environmentID"),
        folder_path=str(code_dir),
        is_major_update=bool(document.get("majorVersion", True)),
    )
    return f"Pushed {document['name']}: model {model_id}, version {version.id}"


def _make(client: Any, metadata: Metadata, kind: TargetType) -> str:
    from polyhost.code_dir.inspect import inspect

    name = NAMES.get(kind, kind.value.capitalize())
    said = {
        "name": metadata.document["name"],
        "target_type": name,
        "language": inspect(metadata.path.parent).language,
        "description": metadata.document.get("description"),
    }
    if not metadata.is_inference:
        return str(client.CustomTask.create(**said).id)
    if kind is TargetType.BINARY:
        said["positive_class_label"], said["negative_class_label"] = metadata.binary_labels()
    elif kind.is_classification:
        said["class_labels"] = list(metadata.class_labels())
    threshold = metadata.inference_model.get("predictionThreshold")
    if threshold is not None:
        said["prediction_threshold"] = threshold
    model = client.CustomInferenceModel.create(target_name=metadata.target_name, **said)
    return str(model.id)
