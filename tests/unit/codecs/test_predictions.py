from __future__ import annotations

import json as standard

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from polyhost.codecs import nonfinite, predictions
from polyhost.data.payload import Scores, Table
from polyhost.data.target import Target, TargetType
from polyhost.errors import InvalidOutput
from polyhost.formats import json
from polyhost.worker import counters

LABELS = ("yes", 'n"o\u2028')
TARGET = Target(TargetType.BINARY, LABELS)


def by_row(values: np.ndarray, names: tuple[str, ...]) -> bytes:
    return json.dumps([dict(zip(names, row, strict=True)) for row in values.tolist()])


@given(arrays(np.float64, st.tuples(st.integers(1, 9), st.just(2)), elements=st.floats()))
def test_row_objects_are_what_dumps_writes(values: np.ndarray) -> None:
    assert json.row_objects(LABELS, values) == by_row(values, LABELS)


def test_row_objects_take_any_layout() -> None:
    values = np.asfortranarray(np.arange(12.0).reshape(4, 3) / 7)
    names = ("a", "b", "c")
    assert json.row_objects(names, values) == by_row(values, names)
    assert json.row_objects(names, values[:0]) is None


@pytest.mark.parametrize("rows", [predictions.MANY_ROWS - 1, predictions.MANY_ROWS])
def test_many_rows_are_written_as_few_are(rows: int) -> None:
    values = np.random.default_rng(5).random((rows, 2))
    (body,) = predictions.encode_parts(Scores(Table.from_matrix(LABELS, values)), TARGET, [rows])
    expected = [dict(zip(LABELS, row, strict=True)) for row in values.tolist()]
    assert standard.loads(body) == {"predictions": expected}


TEXTS = Target(TargetType.GEO_POINT)


@pytest.mark.parametrize(
    ("text", "written"),
    [("a/\u00fc", rb"a\/\u00fc"), ("\U0001f600", rb"\ud83d\ude00"), ('"\x7f', b'\\"\x7f')],
)
def test_text_is_written_in_ascii(text: str, written: bytes) -> None:
    table = Table(("Predictions",), [np.array([text], dtype=object)])
    (body,) = predictions.encode_parts(Scores(table), TEXTS, [1])
    assert body == b'{"predictions":["' + written + b'"]}'
    assert standard.loads(body) == {"predictions": [text]}


@pytest.mark.parametrize("rows", [1, predictions.MANY_ROWS])
def test_labels_are_written_in_ascii(rows: int) -> None:
    labels = ("n/a", "\u00fc")
    scores = Scores(Table.from_matrix(labels, np.full((rows, 2), 0.5)))
    (body,) = predictions.encode_parts(scores, Target(TargetType.BINARY, labels), [rows])
    assert body.startswith(rb'{"predictions":[{"n\/a":0.5,"\u00fc":0.5}')


def test_many_rows_without_orjson(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.full((predictions.MANY_ROWS, 2), [0.25, 0.75])
    scores = Scores(Table.from_matrix(LABELS, values))
    fast = predictions.encode_parts(scores, TARGET, [len(values)])
    monkeypatch.setattr(json, "orjson", None)
    slow = predictions.encode_parts(scores, TARGET, [len(values)])
    assert [standard.loads(body) for body in fast] == [standard.loads(body) for body in slow]


ONE = Target(TargetType.REGRESSION)


def encoded(column: np.ndarray, target: Target = ONE) -> bytes:
    table = Table(("Predictions",), [column])
    return predictions.encode_parts(Scores(table), target, [table.rows])[0]


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1))
def test_numbers_are_written_in_full(values: list[float]) -> None:
    assert standard.loads(encoded(np.array(values))) == {"predictions": values}


def test_a_float32_keeps_its_value() -> None:
    values = np.array([0.1, 6.2e-8], dtype=np.float32)
    found = standard.loads(encoded(values))["predictions"]
    assert found == [float(values[0]), float(values[1])]


def test_small_extra_output_keeps_its_digits() -> None:
    extra = Table(("x",), [np.array([6.2e-8])])
    scores = Scores(Table(("Predictions",), [np.array([1.0])]), extra)
    (body,) = predictions.encode_parts(scores, ONE, [1])
    assert standard.loads(body)["extraModelOutput"]["data"] == [[6.2e-8]]


@pytest.mark.parametrize("kind", ["M8[ns]", "m8[s]"])
def test_a_date_is_not_a_prediction(kind: str) -> None:
    with pytest.raises(InvalidOutput, match="'Predictions' holds dates or times"):
        encoded(np.array([1577836800000000000], dtype="i8").astype(kind))


@pytest.mark.parametrize("rows", [1, predictions.MANY_ROWS])
def test_what_json_cannot_hold_is_counted_and_warned_of_once(
    rows: int, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nonfinite, "_warned", set())
    counted = counters.Counters()
    monkeypatch.setattr(counters, "_running", counted)
    values = np.full((rows, 2), 0.5)
    values[-1] = np.inf, np.nan
    for _ in range(2):
        scores = Scores(Table.from_matrix(LABELS, values))
        (body,) = predictions.encode_parts(scores, TARGET, [rows])
    assert standard.loads(body)["predictions"][-1] == dict.fromkeys(LABELS)
    assert counted.take()["counts"] == [
        ["nonfinite_predictions", [LABELS[0], "inf"], 2],
        ["nonfinite_predictions", [LABELS[1], "nan"], 2],
    ]
    assert [record.args for record in caplog.records] == [
        ("inf", LABELS[0], rows),
        ("nan", LABELS[1], rows),
    ]
