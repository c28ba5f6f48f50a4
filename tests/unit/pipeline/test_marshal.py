from __future__ import annotations

from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyhost.data.payload import Dictionary, Scores, Table
from polyhost.data.target import Target, TargetType
from polyhost.errors import InvalidOutput
from polyhost.pipeline.marshal import (
    check_rows,
    marshal,
    match_labels,
    split_extra,
    with_extra,
)

BINARY = Target(TargetType.BINARY, ("yes", "no"))
COLOURS = Target(TargetType.MULTICLASS, ("red", "green", "blue"))
VALUE = Target(TargetType.REGRESSION)


def table(names: list[str], *rows: list[float]) -> Table:
    return Table.from_matrix(names, np.array(rows, dtype=float))


def shown(found: Table) -> tuple[tuple[str, ...], list[list[float]]]:
    return found.names, np.column_stack(found.columns).tolist()


def test_labelled_columns_keep_the_models_order():
    found = marshal(table(["no", "yes"], [0.25, 0.75]), BINARY)
    assert shown(found) == (("no", "yes"), [[0.25, 0.75]])


@pytest.mark.parametrize(
    ("names", "labels", "expected"),
    [
        (["YES", "No"], ("yes", "no"), ["yes", "no"]),
        (["1.0", "0.0"], ("1", "0"), ["1", "0"]),
        (["True", "False"], ("1", "0"), ["1", "0"]),
        (["t", "f"], ("yes", "no"), ["yes", "no"]),
        (["a", "b"], ("a", "c"), None),
        (["yes"], ("yes", "no"), None),
        (["1", "1.0"], ("1.0", "1"), ["1", "1.0"]),
        (["none", "some"], ("0", "some"), ["0", "some"]),
    ],
)
def test_labels_match_as_numbers_booleans_or_text(names, labels, expected):
    assert match_labels(names, labels) == expected


def test_one_unlabelled_value_is_the_positive_probability():
    found = marshal(table([""], [0.75]), BINARY)
    assert shown(found) == (("no", "yes"), [[0.25, 0.75]])


def test_two_unlabelled_values_are_the_negative_class_first():
    found = marshal(table(["", ""], [0.25, 0.75]), BINARY)
    assert shown(found) == (("no", "yes"), [[0.25, 0.75]])


def test_unlabelled_values_can_be_read_positive_first():
    found = marshal(table(["", ""], [0.25, 0.75]), BINARY, positive_first=True)
    assert shown(found) == (("yes", "no"), [[0.25, 0.75]])


def test_unlabelled_classes_take_the_labels_in_order():
    found = marshal(table(["", "", ""], [0.5, 0.25, 0.25]), COLOURS)
    assert shown(found) == (("red", "green", "blue"), [[0.5, 0.25, 0.25]])


def test_the_single_column_is_called_predictions():
    assert marshal(table(["whatever"], [1.5]), VALUE).names == ("Predictions",)


def test_whole_numbers_stay_whole():
    found = marshal(Table(["v"], [np.array([1, 2])]), VALUE)
    assert found.columns[0].dtype.kind == "i"


@pytest.mark.parametrize(
    ("names", "row", "target", "says"),
    [
        (["maybe", "no"], [0.5, 0.5], BINARY, r"Expected predictions to have columns \['yes', 'n"),
        (["yes"], [0.5], BINARY, "Expected predictions to have columns"),
        (["", ""], [0.5, 0.5], COLOURS, "Expected 3 columns, but received 2"),
        (["yes", "no"], [-0.5, 1.5], BINARY, "negative values"),
        (["yes", "no"], [1.5, 0.5], BINARY, "values greater than 1"),
        (["yes", "no"], [0.5, 0.4], BINARY, r"do not add up to 1\..*row 0: {'yes': 0.5, 'no': 0.4}"),
        (["yes", "no"], [float("nan"), 0.5], BINARY, "do not add up to 1"),
        (["a", "b"], [1, 2], VALUE, "must contain only 1 column; found 2: 'a', 'b'"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_told(names, row, target, says):
    with pytest.raises(InvalidOutput, match=says):
        marshal(table(names, row), target)


def test_the_offending_rows_are_facts():
    rows = [[0.5, 0.5], [0.9, 0.5], [0.1, 0.1]]
    with pytest.raises(InvalidOutput) as raised:
        marshal(table(["yes", "no"], *rows), BINARY)
    assert raised.value.rows == [1, 2]


def test_rows_without_any_probability_pass_where_the_model_has_such():
    nan = float("nan")
    rows = table(["yes", "no"], [0.25, 0.75], [nan, nan])
    found = marshal(rows, BINARY, missing_rows=True)
    assert np.array_equal(
        np.column_stack(found.columns), [[0.25, 0.75], [nan, nan]], equal_nan=True
    )
    for rest in ([nan, 0.5], [0.5, 0.4], [-0.5, 1.5]):
        with pytest.raises(InvalidOutput, match=r"row 1: "):
            marshal(table(["yes", "no"], [nan, nan], rest), BINARY, missing_rows=True)
    with pytest.raises(InvalidOutput, match="do not add up to 1"):
        marshal(rows, BINARY)


def test_multilabel_needs_no_sum():
    target = Target(TargetType.MULTILABEL, ("a", "b"))
    assert shown(marshal(table(["a", "b"], [0.9, 0.9]), target))[1] == [[0.9, 0.9]]


@given(st.floats(0, 1), st.floats(-3e-5, 3e-5))
def test_sums_are_checked_as_numpy_isclose_does(p, error):
    values = np.clip([[p, 1 - p + error]], 0, 1)
    wanted = bool(np.isclose(values.sum(), 1))
    try:
        marshal(Table.from_matrix(["yes", "no"], values), BINARY)
    except InvalidOutput:
        assert not wanted
    else:
        assert wanted


@given(st.lists(st.lists(st.floats(0.01, 1), min_size=3, max_size=3), min_size=1, max_size=20))
def test_normalised_rows_always_pass(rows):
    values = np.array(rows)
    values /= values.sum(axis=1, keepdims=True)
    names = ["Green", "BLUE", "red"]
    found = marshal(Table.from_matrix(names, values), COLOURS)
    assert found.names == ("green", "blue", "red")
    assert np.array_equal(np.column_stack(found.columns), values)


def test_text_where_probabilities_belong():
    bad = Table(["yes", "no"], [np.array(["high"], object), np.array([0.5])])
    with pytest.raises(InvalidOutput, match="column 'yes' holds something else"):
        marshal(bad, BINARY)


def test_dates_where_probabilities_belong():
    day = np.array(["2024-01-01"], dtype="M8[ns]")
    with pytest.raises(InvalidOutput, match="'yes' holds something else"):
        marshal(Table(["no", "yes"], [np.array([0.5]), day]), BINARY)


# Extra columns


def test_columns_beside_the_labels_are_extra():
    predictions, extra = split_extra(table(["why", "no", "yes"], [7, 0.5, 0.5]), BINARY)
    assert (predictions.names, extra.names) == (("no", "yes"), ("why",))


def test_with_extra_columns_labels_match_to_the_letter():
    with pytest.raises(InvalidOutput, match="without 'yes'"):
        split_extra(table(["why", "no", "Yes"], [7, 0.5, 0.5]), BINARY)


def test_no_more_columns_than_labels_are_all_predictions():
    assert split_extra(table(["a", "b"], [1, 2]), BINARY)[1] is None


@pytest.mark.parametrize(
    ("target", "prediction"),
    [
        (VALUE, "Predictions"),
        (Target(TargetType.TEXT_GENERATION, name="reply"), "reply"),
        (Target(TargetType.TEXT_GENERATION, name='"reply"'), "reply"),
        (Target(TargetType.GEO_POINT), "Predictions"),
    ],
)
def test_the_prediction_column_has_its_name_when_there_are_others(target, prediction):
    predictions, extra = split_extra(table(["note", prediction], [1, 2]), target)
    assert (predictions.names, extra.names) == ((prediction,), ("note",))
    with pytest.raises(InvalidOutput, match="without"):
        split_extra(table(["note", "other"], [1, 2]), target)


# Rows


def test_a_differing_row_count_is_a_warning_or_an_error(caplog):
    scores = Scores(table(["Predictions"], [1], [2]))
    assert check_rows(scores, 2, strict=True) is scores
    assert check_rows(scores, None, strict=True) is scores
    assert check_rows(scores, 3, strict=False) is scores
    assert "2 prediction(s) for 3 input row(s)" in caplog.text
    with pytest.raises(InvalidOutput, match=r"2 prediction\(s\) for 3 input row\(s\)"):
        check_rows(scores, 3, strict=True)


@pytest.mark.parametrize("kind", [TargetType.REGRESSION, TargetType.ANOMALY])
@pytest.mark.parametrize(
    ("values", "says"),
    [
        (np.array([1.5, "high"], dtype=object), "row 1 holds 'high', which is text"),
        (np.array(["1.5"], dtype=object), "row 0 holds '1.5', which is text"),
        (Dictionary(np.array([0], dtype="int32"), ("low",)), "row 0 holds 'low', which is text"),
        (np.array(["2020-01-01"], dtype="datetime64[ns]"), "which is a date or a time"),
        (np.array([pd.Timestamp("2020-01-01")], dtype=object), "which is a date or a time"),
    ],
)
def test_a_number_that_is_text_is_an_error(kind, values, says):
    with pytest.raises(InvalidOutput, match=says):
        marshal(Table(("Predictions",), (values,)), Target(kind))


def test_a_missing_number_is_no_text():
    values = np.array([1.5, None, True, Decimal("2.5")], dtype=object)
    found = marshal(Table(("Predictions",), (values,)), VALUE)
    assert found.columns[0].tolist() == values.tolist()


def test_a_class_without_a_label_is_named():
    returned = table(["no", "yes", "perhaps"], [0.25, 0.25, 0.5])
    predictions, extra = split_extra(returned, BINARY)
    with pytest.raises(InvalidOutput, match="do not add up to 1") as caught:
        marshal(predictions, BINARY)
    said = with_extra(caught.value, extra, BINARY).message
    assert "label(s) 'yes', 'no', so that the column(s) 'perhaps' are taken as extra" in said
    assert with_extra(caught.value, None, BINARY) is caught.value
