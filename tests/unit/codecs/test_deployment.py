"""The answers of ``--deployment-config``."""

from __future__ import annotations

import json

import numpy as np
import pytest

from polyhost.codecs import deployment
from polyhost.data.payload import Scores, Table
from polyhost.data.target import Target, TargetType
from polyhost.errors import InvalidOutput, SettingsError


@pytest.fixture
def encoded(tmp_path):
    def encode(target, names, rows, extra=None, **settings):
        path = tmp_path / "deployment.json"
        path.write_text(json.dumps({"target": settings}), encoding="utf-8")
        scores = Scores(Table.from_matrix(names, np.array(rows, dtype=float)), extra)
        deployment.load.cache_clear()
        return json.loads(deployment.encode(scores, target, str(path)))["data"]

    return encode


def test_a_value(encoded):
    found = encoded(Target(TargetType.REGRESSION), ["Predictions"], [[1.5]], name="price")
    assert found == [
        {"prediction": 1.5, "predictionValues": [{"label": "price", "value": 1.5}], "rowId": 0}
    ]


def test_an_anomaly_has_a_name_of_its_own(encoded):
    found = encoded(Target(TargetType.ANOMALY), ["Predictions"], [[1.5]], name="price")
    assert found[0]["predictionValues"] == [{"label": "Anomaly Score", "value": 1.5}]


def test_binary_is_above_the_threshold_or_not(encoded):
    found = encoded(
        Target(TargetType.BINARY, ("yes", "no")),
        ["no", "yes"],
        [[0.75, 0.25], [0.5, 0.5]],
        class_mapping=[["yes", 1], ["no", 0]],
        prediction_threshold=0.25,
    )
    assert found == [
        {
            "prediction": "no",
            "predictionThreshold": 0.25,
            "predictionValues": [
                {"label": "yes", "value": 0.25},
                {"label": "no", "value": 0.75},
            ],
            "rowId": 0,
        },
        {
            "prediction": "yes",
            "predictionThreshold": 0.25,
            "predictionValues": [{"label": "yes", "value": 0.5}, {"label": "no", "value": 0.5}],
            "rowId": 1,
        },
    ]


def test_binary_without_a_mapping_has_the_models_labels(encoded):
    labels = Target(TargetType.BINARY, ("yes", "no"))
    found = encoded(labels, ["no", "yes"], [[0.25, 0.75]])
    assert (found[0]["prediction"], found[0]["predictionThreshold"]) == ("yes", 0.5)


def test_multiclass_is_in_the_order_of_the_mapping(encoded):
    found = encoded(
        Target(TargetType.MULTICLASS, ("a", "b", "c")),
        ["a", "b", "c"],
        [[0.4, 0.2, 0.4]],
        class_mapping=[["a", 2], ["b", 0], ["c", 1]],
    )
    assert found[0]["prediction"] == "c"
    assert [item["label"] for item in found[0]["predictionValues"]] == ["b", "c", "a"]


def test_multilabel_lists_the_labels_above_the_threshold(encoded):
    found = encoded(
        Target(TargetType.MULTILABEL, ("a", "b", "c")),
        ["a", "b", "c"],
        [[0.9, 0.2, 0.6]],
        prediction_threshold=0.5,
    )
    assert (found[0]["prediction"], found[0]["predictionThreshold"]) == (["a", "c"], 0.5)


def test_extra_columns_go_with_their_row(encoded):
    extra = Table(["why", "n"], [np.array(["x", None], object), np.array([1, 2])])
    found = encoded(
        Target(TargetType.REGRESSION), ["Predictions"], [[1], [2]], extra=extra, name="p"
    )
    assert [row["extraModelOutput"] for row in found] == [
        {"why": "x", "n": 1},
        {"why": None, "n": 2},
    ]


def test_a_class_that_the_model_does_not_answer(encoded):
    with pytest.raises(InvalidOutput, match="'perhaps' is none of the model's"):
        encoded(
            Target(TargetType.BINARY, ("yes", "no")),
            ["no", "yes"],
            [[0.5, 0.5]],
            class_mapping=[["perhaps", 1], ["no", 0]],
        )


@pytest.mark.parametrize(
    ("text", "says"), [("{", "cannot be read"), ("[]", "no target"), ('{"target": 1}', "no target")]
)
def test_a_file_that_is_no_deployment_config(tmp_path, text, says):
    path = tmp_path / "deployment.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError, match=says):
        deployment.load(str(path))
