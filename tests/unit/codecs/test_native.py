from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyhost.codecs import Answer, Request
from polyhost.codecs.dispatch import answer, answer_many
from polyhost.codecs.native import ARROW, JSON_TABLE, decode_scores, decode_table, encode_table
from polyhost.data.payload import Dictionary, Payload, Scores, Table
from polyhost.data.target import Target, TargetType
from polyhost.errors import InvalidInput, ModelError, TooManyRows
from polyhost.predictor import GuestInfo, ModelInfo, Reply


class Doubler:
    """A predictor that doubles its first column, and notes what it was given."""

    def __init__(self, extra: Table | None = None) -> None:
        self.extra = extra
        self.requests: list[object] = []
        target = Target(TargetType.REGRESSION)
        self.info = ModelInfo("fake", target, (), GuestInfo(), batchable=True)

    def predict(self, request):
        self.requests.append(request)
        if isinstance(request, Payload):
            return Scores(Table(["Predictions"], [np.array([float(len(request.body))])]))
        return Scores(Table(["Predictions"], [request.columns[0] * 2.0]), self.extra)

    def predict_many(self, tables):
        return [ModelError("no") if t.rows == 0 else self.predict(t) for t in tables]

    def answer(self, request):
        return Reply(request.bytes().upper())

    def transform(self, request):
        return request.table


EVERYTHING = Table(
    ["i", "x", "flag", "text", "code", "any", "when"],
    [
        np.array([1, 2]),
        np.array([np.inf, np.nan]),
        np.array([True, False]),
        np.array(["ä", None], object),
        Dictionary(np.array([-1, 0], np.int32), ("u",)),
        np.array([{"k": [1]}, "x"], object),
        np.array(["2024-01-01", "NaT"], "datetime64[ns]"),
    ],
)


@pytest.mark.parametrize("json_only", [True, False])
def test_a_table_crosses_as_it_was(json_only):
    content_type, body = encode_table(EVERYTHING, json_only=json_only)
    assert content_type == (JSON_TABLE if json_only else ARROW)
    found = decode_table(content_type, memoryview(body))
    assert found.names == EVERYTHING.names
    for ours, theirs in zip(found.columns, EVERYTHING.columns, strict=True):
        assert type(ours) is type(theirs)
        if isinstance(ours, Dictionary):
            ours, theirs = ours.to_objects(), theirs.to_objects()
        np.testing.assert_equal(ours, theirs)


@given(st.lists(st.one_of(st.none(), st.text()), max_size=5), st.booleans())
def test_text_crosses_as_it_was(values, json_only):
    values = [v if v is None else v.encode("utf-8", "ignore").decode() for v in values]
    column = np.array([*values, None], dtype=object)[:-1]
    found = decode_table(*encode_table(Table(["t"], [column]), json_only=json_only))
    assert found.columns[0].tolist() == values


@pytest.mark.parametrize("accept", [ARROW, ""])
def test_scores_come_back_with_their_extra_columns(accept):
    extra = Table(["note"], [np.array(["x", "y"], object)], index=[5, 7])
    content_type, body = encode_table(Table(["a"], [np.array([1.0, 2.0])]))
    request = Request("predict", "native", content_type, accept)
    found = answer(Doubler(extra), request, body)
    assert found.content_type == (accept or JSON_TABLE)
    scores = decode_scores(found.content_type, found.body)
    assert (scores.predictions.names, scores.predictions.columns[0].tolist()) == (
        ("Predictions",),
        [2.0, 4.0],
    )
    assert (scores.extra.names, scores.extra.index) == (("note",), [5, 7])


def test_any_other_body_is_a_payload():
    model = Doubler()
    found = answer(model, Request("predict", "native", "text/csv; charset=x"), b"a\n1\n")
    assert decode_scores(found.content_type, found.body).extra is None
    assert model.requests == [Payload(b"a\n1\n", "text/csv", "x")]


def test_a_batch_where_one_fails():
    tables = [Table(["a"], [np.arange(float(n))]) for n in (1, 0, 2)]
    bodies = [encode_table(table)[1] for table in tables]
    found = answer_many(Doubler(), Request("predict", "native", ARROW, ARROW), [*bodies, b"bad"])
    assert [isinstance(one, Exception) for one in found] == [False, True, False, True]
    scores = decode_scores(ARROW, found[2].body)
    assert scores.predictions.columns[0].tolist() == [0.0, 2.0]
    assert isinstance(found[3], InvalidInput)


def test_the_other_operations():
    model = Doubler()
    found = answer(model, Request("unstructured", "native", "text/plain"), b"abc")
    assert (found.body, found.content_type) == (b"ABC", "application/octet-stream")
    content_type, body = encode_table(EVERYTHING, json_only=True)
    found = answer(model, Request("transform", "native", content_type, ""), body)
    assert decode_table(found.content_type, found.body).names == EVERYTHING.names


@pytest.mark.parametrize("body", [b"{", b"[]", json.dumps({"names": ["a"]}).encode()])
def test_malformed_tables_are_told(body):
    with pytest.raises(InvalidInput, match="is not a"):
        decode_table(JSON_TABLE, body)


@pytest.mark.parametrize("json_only", [True, False])
def test_rows_past_the_models_limit_are_refused(json_only):
    kind, body = encode_table(Table(["a"], [np.arange(4.0)]), json_only=json_only)
    request = Request("predict", "native", kind, options={"max_rows": 3})
    with pytest.raises(TooManyRows, match="has 4 rows: expected at most 3"):
        answer(Doubler(), request, body)
    _, fewer = encode_table(Table(["a"], [np.arange(3.0)]), json_only=json_only)
    found = answer_many(Doubler(), request, [body, fewer])
    assert [type(one) for one in found] == [TooManyRows, Answer]


def test_a_call_takes_no_more_rows_than_it_may():
    bodies = [encode_table(Table(["a"], [np.arange(float(n))]))[1] for n in (2, 2, 1, 5, 1)]
    request = Request("predict", "native", ARROW, options={"call_rows": 4})

    calls: list[list[int]] = []

    class Counted(Doubler):
        def predict_many(self, tables):
            calls.append([table.rows for table in tables])
            return super().predict_many(tables)

    assert len(answer_many(Counted(), request, bodies)) == 5
    assert calls == [[2, 2], [1], [5], [1]]
