"""Functions in R that MLflow saved: made by R as its package makes them, without that package."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.r_models import rscript

from polyhost.code_dir.spec import spec_of
from polyhost.codecs import Request, dispatch
from polyhost.data.payload import Payload
from polyhost.errors import LoadError, ModelError, RuntimeUnavailable
from polyhost.pipeline.pipeline import Pipeline, open_predictor
from polyhost.settings import TargetSettings

pytestmark = pytest.mark.runtime("r")

MAKE = """
crate <- function(fn, ...) {
  environment(fn) <- list2env(list(...), parent = baseenv())
  structure(fn, class = "crate")
}
save <- function(fn, name, file = "crate.bin", flavor = "crate") {
  dir.create(name)
  saveRDS(serialize(fn, NULL), file.path(name, file))
  text <- c("flavors:", paste0("  ", flavor, ":"), "    version: 0.1.0", paste0("    model: ", file))
  writeLines(text, file.path(name, "MLmodel"))
}
fit <- lm(mpg ~ wt + hp, mtcars)
"""
MODELS = """
save(crate(function(data, ...) stats::predict(fit, data), fit = fit), "lm")
save(crate(function(data) data.frame(data, kind = vapply(data, function(x) class(x)[1], "")[["a"]])),
     "frame")
save(crate(function(data) list(
  one = 1L, two = c(1.5, NA), text = "x", grid = matrix(1:4, 2), level = factor("q"),
  day = as.Date("2024-05-31"), none = NULL, inner = list(TRUE, "z")
)), "list")
save(crate(function(data) c(a = 1L, b = NA)), "vector")
save(crate(function(data) factor(c("u", NA), levels = c("u", "v"))), "factor")
save(crate(function(data) matrix(c(1, 2, 3, 4), 2)), "matrix")
save(crate(function(data) stop("no luck")), "fails")
save(crate(function(data, k = 1) data$a * k), "renamed", "other.bin")
save(crate(function(data) data$a + 1), "old", "r_crate.bin", "r_crate")
cat(sprintf("%.17g", predict(fit, data.frame(wt = c(2.62, 3), hp = c(110, 100)))))
"""
EXPECTED: dict[str, Any] = {
    "list": {
        "one": 1,
        "two": [1.5, None],
        "text": "x",
        "grid": [[1, 3], [2, 4]],
        "level": "q",
        "day": "2024-05-31",
        "none": None,
        "inner": [True, "z"],
    },
    "vector": [1, None],
    "factor": ["u", None],
    "matrix": [[1, 3], [2, 4]],
    "renamed": [5],
    "old": [6],
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("crates")


@pytest.fixture(scope="module")
def predicted(folder: Path) -> list[float]:
    """What R's own predict says of two cars; the crates are saved beside."""
    return [float(text) for text in rscript(f"setwd('{folder}')\n{MAKE}{MODELS}").split()]


@pytest.fixture
def opened(folder: Path, predicted: list[float]) -> Iterator[Any]:
    models: list[Pipeline] = []

    def load(name: str) -> Pipeline:
        models.append(open_predictor(spec_of(folder / name, TargetSettings(), infer=True)))
        return models[-1]

    yield load
    for model in models:
        model.close()


def ask(model: Pipeline, content: Any, kind: str = "application/json") -> Any:
    body = (content if isinstance(content, str) else json.dumps(content)).encode()
    return json.loads(bytes(dispatch.answer(model, Request("predict", "mlflow", kind), body).body))


def test_a_crate_answers_every_body_of_rows(opened: Any, predicted: list[float]) -> None:
    model = opened("lm")
    columns, data = ["wt", "hp"], [[2.62, 110], [3, 100]]
    records: Any = [{"wt": 2.62, "hp": 110}, {"wt": 3, "hp": 100}]
    split: Any = {"columns": columns, "data": data}
    assert ask(model, {"dataframe_split": split}) == {"predictions": predicted}
    assert ask(model, {"dataframe_records": records}) == {"predictions": predicted}
    assert ask(model, {"inputs": {"wt": [2.62, 3], "hp": [110, 100]}})["predictions"] == predicted
    assert ask(model, {"instances": records})["predictions"] == predicted
    assert ask(model, "wt,hp\n2.62,110\n3,100\n", "text/csv") == {"predictions": predicted}
    assert ask(model, split, "application/json; format=pandas-split") == predicted
    assert ask(model, records) == predicted
    assert ask(model, records[:1]) == predicted[:1]  # a list, however many rows
    rows = model.predict(Payload(b"wt,hp\n2.62,110\n", "text/csv"))
    assert rows.predictions.columns[0].tolist() == predicted[:1]


@pytest.mark.parametrize("name", EXPECTED)
def test_any_value_is_answered(opened: Any, name: str) -> None:
    body = {"dataframe_records": [{"a": 5}]}
    assert ask(opened(name), body) == {"predictions": EXPECTED[name]}


def test_columns_keep_their_types(opened: Any) -> None:
    """A text beside numbers leaves the numbers what they are, and a missing cell is null."""
    data = [[1, "x", True], [2, None, None]]
    found = ask(opened("frame"), {"dataframe_split": {"columns": ["a", "b", "t"], "data": data}})
    assert found["predictions"] == [
        {"a": 1, "b": "x", "t": True, "kind": "integer"},
        {"a": 2, "b": None, "t": None, "kind": "integer"},
    ]


def test_what_the_function_raises_is_reported(opened: Any) -> None:
    with pytest.raises(ModelError, match="no luck"):
        ask(opened("fails"), [{"a": 1}])


def test_a_missing_package_is_named_at_load(tmp_path: Path) -> None:
    rscript(f"setwd('{tmp_path}')\n{MAKE} save(crate(function(data) notthere::f(data)), 'm')")
    with pytest.raises(RuntimeUnavailable, match="not installed: notthere"):
        open_predictor(spec_of(tmp_path / "m", TargetSettings(), infer=True))


def test_what_is_no_function_is_refused(tmp_path: Path) -> None:
    rscript(f"setwd('{tmp_path}')\n{MAKE} save(1:3, 'm')")
    with pytest.raises(LoadError, match="expected a function"):
        open_predictor(spec_of(tmp_path / "m", TargetSettings(), infer=True))
