from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from polyhost import bridges
from polyhost.bridges import Bridge
from polyhost.data.payload import Payload, Table
from polyhost.data.target import Target, TargetType
from polyhost.errors import (
    ArtifactNotFound,
    InvalidOutput,
    LoadError,
    MissingHook,
    ModelError,
    SettingsError,
    WrongEndpoint,
)
from polyhost.pipeline import load_guest
from polyhost.pipeline.pipeline import open_predictor
from polyhost.predictor import GuestInfo, ModelSpec, Reply, Traits

STRUCTURED = ("init", "load_model", "read_input_data", "transform", "score", "post_process")
VALUE = Target(TargetType.REGRESSION)
BINARY = Target(TargetType.BINARY, ("yes", "no"))
ROWS = Table.from_matrix(["a"], np.array([[1.0], [2.0]]))


@dataclass
class Scripted:
    """A guest whose data are tables, and which notes what it is called with."""

    hooks: frozenset[str] = frozenset()
    traits: Traits = field(default_factory=Traits)
    info: GuestInfo = field(default_factory=GuestInfo)
    results: dict[str, Any] = field(default_factory=dict)
    loads: bool = True
    language: str = "scripted"
    calls: list[str] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)

    def run_init(self):
        self.calls.append("init")

    def run_load_model(self):
        self.calls.append("load_model")
        if isinstance(self.loads, Exception):
            raise self.loads
        return self.loads

    def load_artifact(self, artifact):
        self.calls.append(f"load {artifact.name if artifact else None}")

    def describe(self):
        return self.info

    def read(self, payload):
        self.calls.append("read")
        return Table.from_matrix(["a"], np.ones((len(payload.bytes().splitlines()) - 1, 1)))

    def wrap(self, table):
        self.calls.append("wrap")
        return table

    def unwrap(self, data):
        return data

    def rows(self, data):
        return data.rows if isinstance(data, Table) else None

    def hook(self, name, data, context):
        self.calls.append(name)
        result = self.results.get(name, data)
        return result(data) if callable(result) else result

    def predict(self, data, context):
        self.calls.append("predict")
        self.sizes.append(data.rows)
        result = self.results.get("predict", data)
        return result(data) if callable(result) else result

    def apply_transformer(self, data, y, context):
        self.calls.append(f"transform y={y.rows if y is not None else None}")
        return self.results.get("transform", data)

    def unstructured(self, data, context):
        return Reply(data, context.payload.mimetype, context.payload.charset)

    def interrupt(self):
        return False

    def close(self):
        self.calls.append("close")


@pytest.fixture
def opened(monkeypatch, tmp_path):
    def open_with(guest, target=VALUE, artifacts=("m.bin",), **options):
        (tmp_path / "m.bin").touch()
        bridge = Bridge("scripted", "none", (".bin",), (), "nothing")
        monkeypatch.setitem(bridges.BRIDGES, "scripted", bridge)
        monkeypatch.setattr(Bridge, "open", lambda self, spec: guest)
        paths = tuple(map(Path, artifacts))
        return open_predictor(
            ModelSpec(tmp_path, "scripted", target, artifacts=paths, options=options)
        )

    return open_with


def values(scores) -> list[Any]:
    return np.column_stack(scores.predictions.columns).tolist()


# Order


def test_hooks_are_called_in_order(opened):
    guest = Scripted(frozenset(STRUCTURED), results={"read_input_data": ROWS})
    scores = opened(guest).predict(Payload(b"a\n1\n2\n"))
    assert guest.calls == [
        *("init", "load_model", "read_input_data", "transform", "score"),
        *("wrap", "post_process"),
    ]
    assert values(scores) == [[1.0], [2.0]]


def test_post_process_may_see_what_score_returned(opened):
    seen = []
    raw = Table(["Predictions", "note"], [np.array([1.0]), np.array(["x"], object)])
    guest = Scripted(
        frozenset(("load_model", "score", "post_process")),
        Traits(post_process_sees="raw"),
        results={"score": raw, "post_process": lambda data: seen.append(data.names) or data},
    )
    scores = opened(guest).predict(Payload(b"a\n1\n"))
    assert seen == [("Predictions", "note")]
    assert (scores.predictions.names, scores.extra.names) == (("Predictions",), ("note",))


def test_post_process_sees_marshalled_output_without_extra_columns(opened):
    seen = []
    raw = Table(["NO", "Yes", "note"], [np.array([0.2]), np.array([0.8]), np.array([1])])
    hooks = frozenset(("load_model", "score", "post_process"))
    results = {
        "score": lambda _: Table(["no", "yes", "note"], raw.columns),
        "post_process": lambda data: seen.append(data.names) or data,
    }
    scores = opened(Scripted(hooks, results=results), BINARY).predict(Payload(b"a\n1\n"))
    assert seen == [("no", "yes")]
    assert scores.extra.names == ("note",)


def test_a_table_is_wrapped_and_a_reader_hook_gets_it_as_csv(opened):
    guest = Scripted()
    opened(guest).predict(ROWS)
    assert guest.calls == ["load m.bin", "wrap", "predict"]
    got = []
    guest = Scripted(
        frozenset(("load_model", "read_input_data")),
        results={"read_input_data": lambda data: got.append(data) or ROWS},
    )
    opened(guest).predict(ROWS)
    assert got == [b"a\n1.0\n2.0\n"]


def test_rows_decoded_by_a_codec_are_not_read_again(opened):
    guest = Scripted()
    opened(guest).predict(Payload(b"{}", "application/json", table=ROWS))
    assert guest.calls == ["load m.bin", "wrap", "predict"]


@pytest.mark.parametrize("extra", ["none", "classification+regression"])
def test_a_language_without_extra_columns_refuses_them(opened, extra):
    two = Table(["Predictions", "note"], [np.array([1.0]), np.array([2.0])])
    guest = Scripted(
        frozenset(("load_model", "score")), Traits(extra_output=extra), results={"score": two}
    )
    with pytest.raises(InvalidOutput, match="only 1 column"):
        opened(guest, Target(TargetType.ANOMALY)).predict(Payload(b"a\n1\n"))


def test_a_lost_row_is_an_error_where_rows_are_strict(opened, caplog):
    guest = Scripted(results={"predict": lambda data: data.slice(0, data.rows - 1)})
    assert values(opened(guest).predict(ROWS)) == [[1.0]]
    assert "1 prediction(s) for 2 input row(s)" in caplog.text
    with pytest.raises(InvalidOutput, match="expected one output row per input row"):
        opened(guest, strict_rows=True).predict(ROWS)
    with pytest.raises(InvalidOutput):
        opened(guest).predict(Payload(b"a\n1\n2\n", options={"strict_rows": True}))


def test_rows_that_post_process_loses_do_not_fit_the_extra_columns(opened):
    table = Table(["Predictions", "note"], [np.arange(2.0), np.arange(2.0)])
    guest = Scripted(
        frozenset(("load_model", "score", "post_process")),
        results={"score": table, "post_process": lambda data: data.slice(0, 1)},
    )
    with pytest.raises(InvalidOutput, match=r"post_process returned 1 row\(s\)"):
        opened(guest).predict(ROWS)


# Batches


def fails_on_seven(data: Table) -> Table:
    if 7.0 in data.columns[0]:
        raise ModelError("no sevens")
    return data


def test_a_batch_is_one_call_and_a_failing_one_runs_singly(opened):
    guest = Scripted(info=GuestInfo(row_wise=True), results={"predict": fails_on_seven})
    predictor = opened(guest)
    assert predictor.info.batchable
    tables = [Table.from_matrix(["a"], np.array([[float(i)]])) for i in range(3)]
    assert [values(found) for found in predictor.predict_many(tables)] == [[[0]], [[1]], [[2]]]
    assert guest.sizes == [3]
    bad = Table.from_matrix(["a"], np.array([[7.0]]))
    found = predictor.predict_many([tables[0], bad, tables[2]])
    assert isinstance(found[1], ModelError)
    assert [values(found[0]), values(found[2])] == [[[0]], [[2]]]
    assert guest.sizes == [3, 3, 1, 1, 1]


def test_tables_that_differ_are_not_one_batch(opened):
    def predict(data):
        cells = data.columns[0].tolist()
        return Table(["a"], [np.array([-1 if cell == "x" else cell for cell in cells])])

    guest = Scripted(info=GuestInfo(row_wise=True), results={"predict": predict})
    one = Table(["a"], [np.array([1])])
    text = Table(["a"], [np.array(["x"], object)])
    other = Table(["b"], [np.array([2])])
    found = opened(guest).predict_many([one, text, other, one])
    assert [part.predictions.columns[0].tolist() for part in found] == [[1], [-1], [2], [1]]
    assert guest.sizes == [2, 1, 1]


@pytest.mark.parametrize(
    ("hooks", "row_wise", "batching", "expected"),
    [
        ((), True, "auto", True),
        ((), False, "auto", False),
        ((), True, "off", False),
        (("score",), True, "auto", False),
        (("score",), False, "on", True),
        (("read_input_data",), True, "on", False),
    ],
)
def test_what_may_be_batched(opened, hooks, row_wise, batching, expected):
    guest = Scripted(frozenset(hooks), info=GuestInfo(row_wise=row_wise))
    assert opened(guest, batching=batching).info.batchable is expected


# The other target types


def test_unstructured_text_is_decoded(opened):
    guest = Scripted(frozenset(("load_model", "score_unstructured")))
    predictor = opened(guest, Target(TargetType.UNSTRUCTURED))
    assert predictor.answer(Payload("é".encode("latin-1"), "text/x", "latin-1")) == Reply(
        "é", "text/x", "latin-1"
    )
    with pytest.raises(WrongEndpoint):
        predictor.predict(ROWS)


def test_a_transform_keeps_its_rows_and_gets_the_target(opened):
    guest = Scripted(frozenset(("load_model", "transform")))
    predictor = opened(guest, Target(TargetType.TRANSFORM))
    request = Payload(b"a\n1\n2\n", parts={"y": b"y\n5\n6\n"})
    assert predictor.transform(request).rows == 2
    assert guest.calls[-1] == "transform y=2"
    guest.results["transform"] = ROWS.slice(0, 1)
    with pytest.raises(InvalidOutput, match=r"transform returned 1 row\(s\) for 2"):
        predictor.transform(request)


# Loading


def test_load_model_comes_before_the_artifact(opened):
    guest = Scripted(frozenset(("init", "load_model")))
    opened(guest, artifacts=("a.bin", "b.bin"))
    assert guest.calls == ["init", "load_model"]


def test_an_empty_load_model_defers_only_where_the_bridge_says_so(opened):
    with pytest.raises(LoadError, match="hook failed to load model, None is returned"):
        opened(Scripted(frozenset(["load_model"]), loads=False))
    guest = Scripted(frozenset(["load_model"]), Traits(load_model_may_defer=True), loads=False)
    opened(guest)
    assert guest.calls == ["load_model", "load m.bin"]


def test_the_artifact_must_be_one(opened):
    with pytest.raises(
        ArtifactNotFound, match=r"Multiple serialized model files found .*: \[a.bin b.bin\]"
    ):
        opened(Scripted(), artifacts=("b.bin", "a.bin"))
    with pytest.raises(ArtifactNotFound, match=r"expected a name ending in .bin; found m.bin"):
        opened(Scripted(frozenset(["score"])), artifacts=())
    guest = Scripted(traits=Traits(one_artifact=False))
    opened(guest, artifacts=("a.bin", "b.bin"))
    assert guest.calls == ["load a.bin"]


def test_hooks_suffice_where_the_bridge_says_so(opened):
    guest = Scripted(frozenset(["score"]), Traits(artifact_optional=True))
    opened(guest, artifacts=())
    assert guest.calls == ["load None"]
    with pytest.raises(ArtifactNotFound):
        opened(Scripted(traits=Traits(artifact_optional=True)), artifacts=())


def test_guest_code_that_raises_while_loading_is_a_load_error(opened):
    broken = ModelError.in_hook(
        language="scripted", hook="load_model", native_type="E", native_message="gone"
    )
    guest = Scripted(frozenset(["load_model"]), loads=broken)
    with pytest.raises(LoadError, match="E: gone") as raised:
        opened(guest)
    assert raised.value.native_type == "E"
    assert guest.calls[-1] == "close"


@pytest.mark.parametrize(
    ("target", "hook"),
    [
        (VALUE, "score"),
        (Target(TargetType.TRANSFORM), "transform"),
        (Target(TargetType.UNSTRUCTURED), "score_unstructured"),
    ],
)
def test_a_hook_that_this_target_needs_is_missing(opened, target, hook):
    guest = Scripted(frozenset(["load_model"]), info=GuestInfo(predicts=False))
    with pytest.raises(MissingHook, match=f"hook '{hook}' is missing") as raised:
        opened(guest, target)
    assert raised.value.found == ["load_model"]
    if hook == "score":
        assert raised.value.message.startswith("Could not find any framework to handle loaded")


def test_labels_are_compared_with_the_models_own(opened):
    guest = Scripted(info=GuestInfo(labels=("a", "b")))
    with pytest.raises(
        SettingsError, match=r"to have columns \['yes', 'no'\], but encountered \['a', 'b'\]"
    ):
        opened(guest, BINARY)
    opened(Scripted(info=GuestInfo(labels=("No", "YES"))), BINARY)
    opened(replace(guest, hooks=frozenset(["score"])), BINARY)
    raw = Traits(post_process_sees="raw")
    opened(replace(guest, hooks=frozenset(["post_process"]), traits=raw), BINARY)


def test_text_targets_need_their_name(opened):
    with pytest.raises(SettingsError, match="TARGET_NAME"):
        opened(Scripted(), Target(TargetType.TEXT_GENERATION))


def test_a_language_without_transformers_says_so(opened):
    guest = Scripted(traits=Traits(transform_target=False))
    with pytest.raises(SettingsError, match="not supported in scripted"):
        opened(guest, Target(TargetType.TRANSFORM))


def test_loading_names_no_language():
    assert "python" not in Path(load_guest.__file__).read_text(encoding="utf-8").lower()
