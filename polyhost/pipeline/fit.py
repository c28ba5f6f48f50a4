"""Training: the ``fit`` hook or a custom task, given neutral data, leaves a folder that scores.

A guest that can train has a method ``fit(job)`` beside those of :class:`~polyhost.predictor.Guest`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Mapping, Optional, Sequence, Tuple

import numpy as np

from polyhost.data.payload import Column, Dictionary, Table
from polyhost.data.target import Target, TargetType
from polyhost.errors import MissingHook, SettingsError
from polyhost.files.replace import copy_whole, write_whole
from polyhost.pipeline import load_guest
from polyhost.predictor import ModelSpec

README = """\
# A trained model

The code dir that it was trained with, and what training left. Score with it:

    polyhost score --code-dir . --input rows.csv --target-type {target}{labels}
"""


@dataclass(frozen=True)
class FitJob:
    """What a model is trained on. ``target`` and ``weights`` have one column each.

    ``class_order``: ``(positive, negative)`` or the labels; None where there are no classes.
    """

    rows: Table
    output_dir: Path
    target: Optional[Table] = None
    weights: Optional[Table] = None
    class_order: Optional[Tuple[str, ...]] = None
    parameters: Mapping[str, Any] = field(default_factory=dict)


def fit(spec: ModelSpec, job: FitJob) -> None:
    """Train the model of a code dir in this process."""
    guest = load_guest.open_guest(spec)
    try:
        train = getattr(guest, "fit", None)
        if train is None:
            raise MissingHook(
                f"{spec.language} models cannot be trained here: expected a language whose bridge "
                "knows the fit hook. Train the model with its own tools.",
                language=spec.language,
                hook="fit",
            )
        with load_guest.as_load_error():
            if "init" in guest.hooks:
                guest.run_init()
        train(job)
    finally:
        guest.close()


def leave_code(spec: ModelSpec, output_dir: Path, without: Sequence[Path] = ()) -> None:
    """Put the code dir's files beside what training left, which wins, and a README.

    ``without``: files of the code dir that are left out.
    """
    left_out = {spec.code_dir / path for path in without}
    for path in sorted(spec.code_dir.rglob("*")):
        inside = path.relative_to(spec.code_dir)
        if path in left_out:
            continue
        if any(part.startswith(".") or part == "__pycache__" for part in inside.parts):
            continue
        place = output_dir / inside
        if path.is_dir():
            place.mkdir(exist_ok=True)
        elif not place.exists():
            copy_whole(path, place)
    readme = output_dir / "README.md"
    if not readme.exists():
        text = README.format(target=spec.target.type.value, labels=_flags(spec.target))
        write_whole(readme, text.encode("utf-8"))


def _flags(target: Target) -> str:
    if target.type is TargetType.BINARY:
        return (
            f" \\\n        --positive-class-label {target.positive!r}"
            f" --negative-class-label {target.negative!r}"
        )
    if target.labels:
        return " \\\n        --class-labels " + " ".join(map(repr, target.labels))
    return ""


def labels_in(target: Table) -> Tuple[str, ...]:
    """The distinct values of a target, as sorted text; missing ones do not count."""
    values = _texts(target.columns[0])
    return tuple(sorted({value for value in values if value is not None}))


def _texts(column: Column) -> Tuple[Optional[str], ...]:
    values: Any = column.to_objects() if isinstance(column, Dictionary) else column
    if values.dtype.kind == "f":
        whole = np.isnan(values) | (values == np.floor(values))
        as_int = bool(whole.all())
        return tuple(
            None if np.isnan(value) else str(int(value)) if as_int else str(value)
            for value in values.tolist()
        )
    return tuple(None if value is None else str(value) for value in values.tolist())


def split(rows: Table, name: str, what: str) -> Tuple[Table, Table]:
    """A table without a column, and that column; SettingsError when it is not there."""
    if name not in rows.names:
        raise SettingsError(
            f"no {what} column {name!r} in the input: found "
            f"{', '.join(map(repr, rows.names)) or 'no columns'}.",
            found=list(rows.names),
        )
    at = rows.names.index(name)
    others = [i for i in range(len(rows.names)) if i != at]
    column = rows.select([at])
    return rows.select(others), Table(column.names, column.columns)  # dense, whatever the rows
