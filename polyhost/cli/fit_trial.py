"""Whether a model that was just trained predicts, and predicts the same twice."""

from __future__ import annotations

import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from polyhost.data.payload import Table
    from polyhost.pipeline.fit import FitJob
    from polyhost.predictor import ModelSpec

RTOL, ATOL = 2e-2, 1e-6
"""How far predictions of some rows may be from those of the same rows among all."""


def try_out(spec: ModelSpec, output: Path, job: FitJob, keep: Path) -> None:
    """Load what training left in ``output`` and predict the rows it was trained on, all and some.

    When the two differ that is a warning, and the rows are left in a file in the folder ``keep``.
    A transform is given the target too.
    """
    from polyhost.code_dir.inspect import inspect
    from polyhost.data.payload import Payload
    from polyhost.data.target import TargetType
    from polyhost.formats import csv
    from polyhost.pipeline.pipeline import open_predictor

    trained = inspect(output, spec.language)
    predictor = open_predictor(
        replace(
            spec,
            code_dir=trained.path,
            custom_file=trained.custom_file,
            artifacts=trained.artifacts,
        )
    )
    rows = job.rows
    try:
        if spec.target.type is TargetType.TRANSFORM:
            parts = {} if job.target is None else {"y": csv.write_table(job.target)}
            predictor.transform(Payload(b"", table=rows, parts=parts))
            return
        some = rows.slice(0, min(rows.rows, max(10, min(1000, rows.rows // 10))))
        different = _different(predictor, rows, some)
    finally:
        predictor.close()
    if different:
        print(
            "polyhost: warning: Your predictions were different when we tried to predict twice. "
            f"Those of {some.rows} row(s) in {', '.join(map(repr, different))} are not those of the "
            f"same rows among {rows.rows}, so the model computes across rows. "
            f"The rows can be found in this file: {_write(some, keep)}",
            file=sys.stderr,
        )


def _different(predictor: Any, rows: Table, some: Table) -> list[str]:
    """The columns of predictions that depend on the rows beside them."""
    import numpy as np

    every = predictor.predict(rows).predictions.slice(0, some.rows)
    alone = predictor.predict(some).predictions
    return [
        name
        for name, first, second in zip(every.names, every.columns, alone.columns, strict=True)
        if isinstance(first, np.ndarray)
        and first.dtype.kind in "biuf"
        and not np.allclose(first, second, RTOL, ATOL, equal_nan=True)
    ]


def _write(rows: Table, folder: Path) -> str:
    from polyhost.data.payload import SparseTable
    from polyhost.formats import csv, sparse

    if isinstance(rows, SparseTable):
        body, suffix = sparse.write(rows), ".mtx"
    else:
        body, suffix = csv.write_table(rows), ".csv"
    with tempfile.NamedTemporaryFile(
        prefix="polyhost-rows-", suffix=suffix, dir=folder, delete=False
    ) as file:
        file.write(body)
    return file.name
