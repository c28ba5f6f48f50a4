"""Runtime parameters of a local run: definitions in the metadata, values in a file.

Both are read as ordinary YAML, so that ``defaultValue: true`` is a boolean and ``0`` a number.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, List, Mapping, MutableMapping, Optional, Sequence

from polyhost.code_dir.metadata import FILE_NAME
from polyhost.code_dir.runtime_parameters import PREFIX, TYPES, RuntimeParameterException, encode
from polyhost.errors import SettingsError

KEY = "runtimeParameterDefinitions"


@dataclass(frozen=True)
class Definition:
    """A parameter that a model asks for. Bounds are inclusive, and for numbers only."""

    name: str
    type: str
    default: Any = None
    minimum: Optional[float] = None
    maximum: Optional[float] = None


def export_file(code_dir: Path, file: Path, environ: MutableMapping[str, str]) -> None:
    """Set the variable of every parameter that the code dir's metadata defines."""
    export(read_definitions(code_dir / FILE_NAME), read_values(file), environ)


def export(
    definitions: Sequence[Definition],
    values: Mapping[str, Any],
    environ: MutableMapping[str, str],
) -> None:
    """Set each definition's variable to its value, else its default, else null.

    Values without a definition are ignored; variables that are set already are overwritten.
    Nothing is set when one of them is wrong.
    """
    found = {PREFIX + each.name: _text(each, values.get(each.name)) for each in definitions}
    environ.update(found)


def _text(definition: Definition, value: Any) -> str:
    name = definition.name
    payload = definition.default if value is None else value
    try:
        text = encode(name, definition.type, payload)
    except RuntimeParameterException as error:
        raise SettingsError(
            f"Failed to load runtime parameter {name!r}. {error} Fix its value, or its "
            "defaultValue.",
            name=name,
        ) from error
    if definition.type == "numeric" and payload is not None:
        _check_bounds(definition, float(payload))
    return text


def _check_bounds(definition: Definition, value: float) -> None:
    low, high = definition.minimum, definition.maximum
    if (low is None or value >= low) and (high is None or value <= high):
        return
    limits = [
        f"{word} {limit:g}"
        for word, limit in (("at least", low), ("at most", high))
        if limit is not None
    ]
    raise SettingsError(
        f"runtime parameter {definition.name!r} is out of its bounds: expected "
        f"{' and '.join(limits)}; found {value:g}. Fix its value.",
        name=definition.name,
        found=value,
    )


def read_values(path: Path) -> Mapping[str, Any]:
    """The values in a file: a YAML mapping from name to value."""
    try:
        values = read_yaml(path)
    except SettingsError as error:
        raise SettingsError(
            f"Invalid runtime parameter values YAML content! {error.message}", path=str(path)
        ) from error
    if not isinstance(values, dict) or not values:
        found = "nothing" if values is None else f"a {type(values).__name__}"
        raise SettingsError(
            f"the runtime parameters file {path} must map names to values; found {found}.",
            path=str(path),
        )
    return {str(name): value for name, value in values.items()}


def read_definitions(path: Path) -> List[Definition]:
    """The definitions in a metadata file; SettingsError when there are none."""
    if not path.is_file():
        raise SettingsError(
            f"no {FILE_NAME} in {path.parent}: runtime parameters need one, with the key {KEY}.",
            path=str(path),
        )
    document = read_yaml(path)
    found = document.get(KEY) if isinstance(document, dict) else None
    if not isinstance(found, list) or not found:
        raise SettingsError(
            f"{path} has no {KEY}: expected a list of the parameters that the model asks for.",
            path=str(path),
        )
    definitions = [_definition(path, i, entry) for i, entry in enumerate(found, 1)]
    names = [each.name for each in definitions]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise SettingsError(
            f"{path}: {KEY} has {', '.join(twice)} more than once; expected each name once.",
            path=str(path),
        )
    return definitions


def _definition(path: Path, number: int, entry: Any) -> Definition:
    where = f"{path}: item {number} of {KEY}"
    if not isinstance(entry, dict):
        raise SettingsError(f"{where} must be a mapping; found a {type(entry).__name__}.")
    for key in ("fieldName", "type"):
        if not isinstance(entry.get(key), str) or not entry[key]:
            raise SettingsError(f"{where} needs the text {key!r}; found {entry.get(key)!r}.")
    if entry["type"] not in TYPES:
        raise SettingsError(
            f"{where} ({entry['fieldName']}) has the unknown type {entry['type']!r}: expected one "
            f"of {', '.join(TYPES)}."
        )
    if not isinstance(entry.get("allowEmpty", True), bool):
        raise SettingsError(
            f"{where} ({entry['fieldName']}): allowEmpty must be true or false; found "
            f"{entry['allowEmpty']!r}."
        )
    return Definition(
        name=entry["fieldName"],
        type=entry["type"],
        default=entry.get("defaultValue"),
        minimum=_bound(where, entry, "minValue"),
        maximum=_bound(where, entry, "maxValue"),
    )


def _bound(where: str, entry: Mapping[str, Any], key: str) -> Optional[float]:
    value = entry.get(key)
    if value is None:
        return None
    try:
        return float(value)
    except (TypeError, ValueError) as error:
        raise SettingsError(f"{where}: {key} must be a number; found {value!r}.") from error


def read_yaml(path: Path) -> Any:
    """A file as ordinary YAML; SettingsError when it cannot be read."""
    import yaml

    try:
        return yaml.safe_load(path.read_text(encoding="utf-8-sig"))
    except RecursionError:
        raise SettingsError(f"cannot read {path}: it is nested too deep.", path=str(path)) from None
    except (OSError, ValueError, yaml.YAMLError) as error:  # ValueError: 2026-13-01 is no date
        raise SettingsError(f"cannot read {path}: {error}.", path=str(path)) from error
