"""What a cell means to a hook is the same in chunks as in the whole input, in every language whose hooks
get what their own reader makes of CSV."""

from __future__ import annotations

import pytest
from support.batch import score_file

import polyhost

HOOKS = {
    "python": (
        "custom.py",
        """
import pandas as pd

def load_model(code_dir):
    return 1

def score(data, model, **kwargs):
    kinds = "|".join(str(data[name].dtype) for name in data.columns)
    texts = ["/".join(map(str, row)) for row in data.itertuples(index=False)]
    return pd.DataFrame({"Predictions": [1.0] * len(data), "kinds": kinds, "texts": texts})
""",
    ),
    "r": (
        "custom.R",
        """
load_model <- function(code_dir) 1
score <- function(data, model, ...) {
  kinds <- paste(sapply(data, function(column) class(column)[1]), collapse = "|")
  texts <- do.call(paste, c(lapply(data, as.character), sep = "/"))
  data.frame(Predictions = rep(1, nrow(data)), kinds = kinds, texts = texts)
}
""",
    ),
    "julia": (
        "custom.jl",
        """
load_model(code_dir) = 1.0
function score(data, model)
    columns = [getproperty(data, name) for name in propertynames(data)]
    rows = length(columns[1])
    kinds = join([string(eltype(column)) for column in columns], "|")
    texts = [join([string(column[i]) for column in columns], "/") for i = 1:rows]
    (Predictions = ones(rows), kinds = fill(kinds, rows), texts = texts)
end
""",
    ),
}
ROWS = """whole,fraction,text,gap,flag,large,day
1,1,1,1,true,1,2024-01-01
2,2,2,2,false,2,2024-01-02
3,3,x,NA,true,3,2024-01-03
4,4.5,4,4,false,3000000000,oops
5,5,5,,true,9223372036854775808,2024-01-05
"""


@pytest.mark.parametrize("language", sorted(HOOKS))
def test_a_cell_means_the_same_in_any_chunk(language, tmp_path):
    name, text = HOOKS[language]
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / name).write_text(text, encoding="utf-8")
    (tmp_path / "in.csv").write_text(ROWS, encoding="utf-8")
    with polyhost.load(tmp_path / "model", target_type="regression") as model:
        whole = score_file(model, tmp_path / "in.csv", tmp_path / "whole.csv", None)
        assert len(set(whole.splitlines())) == 6
        for rows in (1, 2, 3):
            assert score_file(model, tmp_path / "in.csv", tmp_path / "out.csv", rows) == whole
