from __future__ import annotations

import base64

import numpy as np
import pandas as pd
import pytest

from polyhost.code_dir.metadata import FILE_NAME, read
from polyhost.code_dir.type_schema import Requirement, TypeSchema, parse
from polyhost.data.column_kinds import kinds_of
from polyhost.data.payload import SparseTable, Table
from polyhost.errors import SchemaViolation, SettingsError
from polyhost.pipeline.schema_check import check_input, check_output, unmet

PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(22)).decode()
SENTENCES = [f"the {i} quick foxes" for i in range(20)]


def entry(field, condition, value):
    return {"field": field, "condition": condition, "value": value}


def table(**columns):
    return Table.from_pandas(pd.DataFrame(columns))


def sparse(rows=3):
    ones = (np.array([0]), np.array([1]), np.array([2.0]))
    return SparseTable(["a", "b"], rows, ones)


# Reading


def test_requirements_are_read():
    found = parse(
        {
            "input_requirements": [
                entry("data_types", "IN", ["NUM", "TXT"]),
                entry("number_of_columns", "NOT_LESS_THAN", "3"),
                entry("number_of_columns", "LESS_THAN", "15"),
            ],
            "output_requirements": [entry("sparse", "EQUALS", "IDENTITY")],
        }
    )
    assert found == TypeSchema(
        (
            Requirement("data_types", "IN", ("NUM", "TXT")),
            Requirement("number_of_columns", "NOT_LESS_THAN", (3,)),
            Requirement("number_of_columns", "LESS_THAN", (15,)),
        ),
        (Requirement("sparse", "EQUALS", ("IDENTITY",)),),
    )


@pytest.mark.parametrize(
    ("side", "entries", "says"),
    [
        ("input", [entry("colour", "EQUALS", "x")], "item 1 .* unknown field 'colour'"),
        ("input", [entry("sparse", "IN", "SUPPORTED")], "sparse takes no condition 'IN'"),
        ("input", [entry("sparse", "EQUALS", "NEVER")], "sparse cannot be 'NEVER'; expected FORB"),
        ("output", [entry("sparse", "EQUALS", "FORBIDDEN")], "cannot be 'FORBIDDEN'"),
        ("input", [entry("contains_missing", "EQUALS", "DYNAMIC")], "cannot be 'DYNAMIC'"),
        ("input", [entry("data_types", "IN", ["NUM", "INT"])], "data_types cannot be 'INT'"),
        ("input", [entry("number_of_columns", "EQUALS", "two")], "number from 1; found 'two'"),
        ("input", [entry("number_of_columns", "EQUALS", "0")], "whole number from 1"),
        ("input", [entry("number_of_columns", "EQUALS", ["1", "2"])], "takes one value; found 2"),
        ("input", [entry("data_types", "IN", [])], "takes one value; found 0"),
        ("input", [entry("sparse", "EQUALS", "REQUIRED")] * 2, "item 2 .* sparse is there twice"),
    ],
)
def test_an_entry_that_is_wrong(side, entries, says):
    with pytest.raises(SettingsError, match=says):
        parse({f"{side}_requirements": entries})


def test_a_metadata_file_with_a_wrong_requirement(tmp_path):
    path = tmp_path / FILE_NAME
    head = "name: m\ntype: training\ntargetType: transform\ntypeSchema:\n"
    path.write_text(head + "  output_requirements:\n    - field: data_types\n")
    with pytest.raises(
        SettingsError, match=r"line 6: required key\(s\) 'condition', 'value' not found in item 1"
    ):
        read(tmp_path)
    lines = ("field: data_types", "condition: LESS_THAN", "value: NUM")
    body = "      ".join(f"{line}\n" for line in lines)
    path.write_text(f"{head}  output_requirements:\n    - {body}")
    with pytest.raises(SettingsError) as raised:
        read(tmp_path)
    assert raised.value.message == (
        f"{path}: item 1 of output_requirements under typeSchema: data_types takes no condition "
        "'LESS_THAN'; expected EQUALS, IN, NOT_EQUALS, NOT_IN."
    )


# Kinds of columns


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        ([1, 2], "NUM"),
        ([1.5, None], "NUM"),
        (["red", "blue"], "CAT"),
        (SENTENCES, "TXT"),
        (SENTENCES[:14] + ["word"] * 6, "CAT"),  # under three quarters have a space
        (["the same again"] * 21, "CAT"),  # under a twentieth are different
        (["the same again"] * 20, "TXT"),
        ([PNG, None, PNG], "IMG"),
        ([PNG, "iVBORw0KGgo"], "CAT"),
        ([pd.Timestamp(0), None], "DATE"),
        ([pd.Timedelta(1, "D")], "DATE_DURATION"),
        ([None, None], "CAT"),
    ],
)
def test_the_kind_of_a_column(cells, kind):
    assert kinds_of(table(a=pd.Series(cells))) == {kind}


def test_booleans_are_numbers_with_a_warning(caplog):
    assert kinds_of(table(a=[True, False])) == {"NUM"}
    assert "boolean columns count as numbers: a" in caplog.text


def test_a_matrix_and_a_sparse_table_are_numbers():
    assert kinds_of(Table.from_matrix(("a",), np.ones((2, 1)))) == {"NUM"}
    assert kinds_of(sparse()) == {"NUM"}


# Requirements that are met, or not

NUMBERS = table(a=[1.5, 2.5])
WHOLE = table(a=[1.0, 2.0])
WORDS = table(a=["x", "y"])
PROSE = table(a=SENTENCES)
BOTH = table(a=[1.5, 2.5], b=["x", "y"])


@pytest.mark.parametrize(
    ("condition", "values", "given", "right"),
    [
        ("EQUALS", "NUM", NUMBERS, True),
        ("EQUALS", "NUM", BOTH, False),
        ("EQUALS", "NUM CAT", BOTH, True),
        ("EQUALS", "NUM CAT", NUMBERS, False),
        ("EQUALS", "TXT", WORDS, True),  # categories and texts are equal
        ("EQUALS", "CAT", PROSE, True),
        ("EQUALS", "CAT", WHOLE, True),  # so are whole numbers and categories
        ("EQUALS", "NUM", WORDS, False),
        ("EQUALS", "NUM", table(a=[1, 2], b=["x", "y"]), False),  # texts never are numbers
        ("EQUALS", "NUM CAT", WHOLE, True),
        ("EQUALS", "CAT", NUMBERS, False),
        ("IN", "NUM CAT IMG", BOTH, True),
        ("IN", "CAT", BOTH, False),
        ("NOT_EQUALS", "NUM", NUMBERS, False),
        ("NOT_EQUALS", "NUM", BOTH, True),
        ("NOT_IN", "TXT IMG", BOTH, True),
        ("NOT_IN", "CAT", BOTH, False),
    ],
)
def test_kinds_that_are_required(condition, values, given, right):
    assert (
        unmet(Requirement("data_types", condition, tuple(values.split())), given) == ""
    ) is right


@pytest.mark.parametrize(
    ("condition", "values", "right"),
    [
        ("EQUALS", (2,), True),
        ("EQUALS", (3,), False),
        ("NOT_EQUALS", (2,), False),
        ("IN", (1, 2), True),
        ("NOT_IN", (1, 2), False),
        ("GREATER_THAN", (2,), False),
        ("LESS_THAN", (3,), True),
        ("NOT_GREATER_THAN", (1,), False),
        ("NOT_LESS_THAN", (2,), True),
    ],
)
def test_numbers_of_columns(condition, values, right):
    found = unmet(Requirement("number_of_columns", condition, values), BOTH)
    assert (found == "") is right


@pytest.mark.parametrize(
    ("value", "given", "right"),
    [
        ("FORBIDDEN", sparse(), False),
        ("REQUIRED", NUMBERS, False),
        ("REQUIRED", sparse(), True),
        ("SUPPORTED", sparse(), True),
        ("NEVER", NUMBERS, True),
        ("ALWAYS", NUMBERS, False),
        ("IDENTITY", sparse(), True),
    ],
)
def test_sparse_data(value, given, right):
    assert (unmet(Requirement("sparse", "EQUALS", (value,)), given) == "") is right


@pytest.mark.parametrize(
    "cells", [[1.5, None], ["x", None], [pd.Timestamp(0), pd.NaT]], ids=["number", "text", "date"]
)
def test_missing_values(cells):
    given = table(full=[1, 2], part=cells)
    found = unmet(Requirement("contains_missing", "EQUALS", ("NEVER",)), given)
    assert found == "contains_missing EQUALS NEVER is required; found missing values in 'part'"
    assert unmet(Requirement("contains_missing", "EQUALS", ("DYNAMIC",)), given) == ""
    assert unmet(Requirement("contains_missing", "EQUALS", ("NEVER",)), BOTH) == ""


def test_all_that_is_wrong_is_told_at_once():
    schema = parse(
        {
            "output_requirements": [
                entry("data_types", "EQUALS", "NUM"),
                entry("number_of_columns", "EQUALS", "1"),
            ]
        }
    )
    check_input(schema, BOTH)
    with pytest.raises(SchemaViolation) as raised:
        check_output(schema, BOTH)
    assert raised.value.unmet == [
        "data_types EQUALS NUM is required; found NUM, CAT",
        "number_of_columns EQUALS 1 is required; found 2 column(s)",
    ]


def test_only_training_has_a_default_and_it_may_warn(caplog):
    assert TypeSchema.of({}) == TypeSchema()
    schema = TypeSchema.of({"type_schema": {"default": True, "strict": False}})
    check_input(schema, table(a=[PNG]))
    check_output(schema, WORDS)
    assert [record.levelname for record in caplog.records] == ["WARNING", "WARNING"]
    with pytest.raises(SchemaViolation, match="found CAT"):
        check_output(TypeSchema.of({"type_schema": {"default": True}}), WORDS)
