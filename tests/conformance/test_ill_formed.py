"""Ill-formed tables are refused alike in all languages: the table in docs/formats.md."""

from __future__ import annotations

import csv
import io

import pytest
from conformance.cases import cases_without_gaps
from support.ill_formed import CONTENT_TYPES, REFUSED, Grid, cases, write


def grid_of(path) -> Grid:
    """Two good rows of a model's own input whose cells are all numbers but where texts must be."""
    names, *rows = csv.reader(io.StringIO(path.read_text(encoding="utf-8")))
    good = [row for row in rows if all(row)][:2]
    typed = [[_value(cell) for cell in row] for row in good]
    number = next(i for i in range(len(names)) if all(isinstance(row[i], float) for row in typed))
    return Grid(names, typed, number)


def _value(cell: str) -> float | str:
    try:
        return float(cell)
    except ValueError:
        return cell


TABLE = ("row", "separator", "header", "one name", "NUL", "UTF-8", "surrogate")
"""Words of the faults that are a table's own, whatever the model knows of its columns."""


@pytest.mark.parametrize(("scenario", "runtime"), cases_without_gaps(["regression"]))
def test_the_rules_of_every_format(models_of, made, scenario, runtime):
    model = made(runtime, scenario)
    grid = grid_of(model.input)
    server = models_of(runtime)

    wrong = []
    for fault, form in cases():
        if fault.answers[form] != REFUSED or not any(word in fault.what for word in TABLE):
            continue
        body = fault.make(grid, form)
        reply = server.post(f"/models/{scenario}/predict/", body, CONTENT_TYPES[form])
        if reply.status_code != 422:
            wrong.append((fault.what, form, reply.status_code, reply.text[:100]))
    good = server.post(f"/models/{scenario}/predict/", write(grid, "csv"))
    assert good.status_code == 200, good.text
    assert not wrong
