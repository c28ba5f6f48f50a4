"""Kinds from the metadata's type schema, and examples from the stored one."""

from __future__ import annotations

import pytest

from polyhost.data.column_info import ColumnInfo
from polyhost.data.target import Target, TargetType
from polyhost.pipeline.known_columns import completed
from polyhost.predictor import GuestInfo, ModelSpec

INFO = GuestInfo(
    columns=(ColumnInfo("a"), ColumnInfo("b", "number"), ColumnInfo("c", "text", example="own")),
    schema_source="model",
)


def spec(folder, *kinds):
    entry = {"field": "data_types", "condition": "IN", "value": list(kinds)}
    schema = {"typeSchema": {"input_requirements": [entry]}} if kinds else {}
    return ModelSpec(folder, "python", Target(TargetType.REGRESSION), options={"metadata": schema})


@pytest.mark.parametrize(
    ("kinds", "expected", "source"),
    [
        ([], "any", "model"),
        (["NUM"], "number", "metadata"),
        (["TXT"], "text", "metadata"),
        (["CAT"], "text", "metadata"),
        (["NUM", "TXT"], "any", "model"),
    ],
)
def test_the_metadata_says_what_the_model_does_not(tmp_path, kinds, expected, source):
    found = completed(INFO, spec(tmp_path, *kinds))
    assert [column.kind for column in found.columns] == [expected, "number", "text"]
    assert found.schema_source == source


def test_the_stored_example_gives_a_cell_of_each_column(tmp_path):
    (tmp_path / "example.csv").write_text("b,a,c,y\n2.5,007,x,1\n3,8,y,2\n", encoding="utf-8")
    found = completed(INFO, spec(tmp_path))
    assert [column.example for column in found.columns] == ["007", 2.5, "own"]


@pytest.mark.parametrize("text", ["", "a,b", "a\n", 'a\n"x'])
def test_an_example_without_a_row(tmp_path, text):
    (tmp_path / "example.csv").write_text(text, encoding="utf-8")
    assert [c.example for c in completed(INFO, spec(tmp_path)).columns][1:] == [None, "own"]


def test_a_model_that_names_no_columns_keeps_it_so(tmp_path):
    assert completed(GuestInfo(), spec(tmp_path, "NUM")) == GuestInfo()
