"""Ill-formed tables: one rule in every format, for a Python model with and without hooks."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import HistGradientBoostingRegressor
from support.ill_formed import CONTENT_TYPES, IGNORED, MISSING, REFUSED, Grid, cases, page, write

from polyhost import errors
from polyhost.codecs import Request, dispatch
from polyhost.data.target import Target, TargetType
from polyhost.pipeline.pipeline import open_predictor
from polyhost.predictor import ModelSpec

PAGE = Path(__file__).resolve().parents[3] / "docs" / "formats.md"
GRID = Grid(["a", "b"], [[0.5, 1.0], [0.25, 0.0]])
CASES = [pytest.param(*case, id=f"{case[0].what}-{case[1]}") for case in cases()]


@pytest.fixture(scope="module")
def model():
    random = np.random.default_rng(0)
    frame = pd.DataFrame(random.random((200, 2)), columns=["a", "b"])
    frame.loc[::7, "a"] = np.nan
    return HistGradientBoostingRegressor(max_iter=20).fit(frame, frame.sum(axis=1))


@pytest.fixture(scope="module")
def predictor(model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    (folder / "model.pkl").write_bytes(pickle.dumps(model))
    spec = ModelSpec(folder, "python", Target(TargetType.REGRESSION), None, (Path("model.pkl"),))
    pipeline = open_predictor(spec)
    yield pipeline
    pipeline.close()


@pytest.fixture(scope="module")
def with_hook(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hook")
    (folder / "custom.py").write_text(
        "import pandas as pd\n"
        "def load_model(code_dir): return 1\n"
        "def score(data, model): return pd.DataFrame({'Predictions': [1.0] * len(data)})\n"
    )
    spec = ModelSpec(folder, "python", Target(TargetType.REGRESSION), Path("custom.py"))
    pipeline = open_predictor(spec)
    yield pipeline
    pipeline.close()


def ask(predictor, body, form):
    request = Request("predict", "drum", CONTENT_TYPES[form])
    return json.loads(dispatch.answer(predictor, request, body).body)["predictions"]


@pytest.mark.parametrize(("fault", "form"), CASES)
def test_the_rule(predictor, model, fault, form):
    body = fault.make(GRID, form)
    answer = fault.answers[form]
    if answer == REFUSED:
        with pytest.raises(errors.InvalidInput, match=fault.says):
            ask(predictor, body, form)
        return
    rows = {IGNORED: GRID, MISSING: GRID.with_cell(np.nan)}[answer].rows
    expected = model.predict(pd.DataFrame(rows, columns=GRID.names)).tolist()
    assert ask(predictor, body, form) == expected


SHAPE = ("header", "row longer", "row shorter", "separator at the end of each row, but")
"""Faults of the table itself, which no hook gets to see."""


@pytest.mark.parametrize(
    ("fault", "form"), [case for case in CASES if any(word in case.id for word in SHAPE)]
)
def test_hooks_do_not_get_them_either(with_hook, fault, form):
    if fault.answers[form] == REFUSED:
        with pytest.raises(errors.InvalidInput, match=fault.says):
            ask(with_hook, fault.make(GRID, form), form)
    else:
        assert ask(with_hook, fault.make(GRID, form), form) == [1.0, 1.0]


@pytest.mark.parametrize("form", CONTENT_TYPES)
def test_good_rows_are_answered(predictor, model, form):
    expected = model.predict(pd.DataFrame(GRID.rows, columns=GRID.names)).tolist()
    assert ask(predictor, write(GRID, form), form) == expected


def test_the_page_is_up_to_date():
    says = "run: python tests/support/ill_formed.py, and put its table into docs/formats.md"
    assert page() in PAGE.read_text(encoding="utf-8"), says
