"""Target type and labels that nobody gave come from the artifact; what contradicts it is refused."""

from __future__ import annotations

import pickle

import pytest
from sklearn.datasets import load_iris
from sklearn.ensemble import IsolationForest
from sklearn.linear_model import LinearRegression, LogisticRegression

from polyhost.code_dir.spec import spec_of
from polyhost.data.target import Target, TargetType
from polyhost.errors import SettingsError
from polyhost.pipeline.infer_target import target_of_labels
from polyhost.pipeline.pipeline import open_predictor
from polyhost.settings import Setting, Source, TargetSettings

X, Y = load_iris(return_X_y=True, as_frame=True)
NAMES = Y.map({0: "setosa", 1: "versicolor", 2: "virginica"})


def target_of(folder, model, *, custom="", **settings):
    (folder / "model.pkl").write_bytes(pickle.dumps(model))
    if custom:
        (folder / "custom.py").write_text(custom)
    said = TargetSettings(**{name: Setting(value, Source.FLAG) for name, value in settings.items()})
    predictor = open_predictor(spec_of(folder, said, infer=True))
    predictor.close()
    return predictor.info.target


def test_what_an_estimator_was_trained_for(tmp_path):
    classifier = LogisticRegression(max_iter=500)
    two = classifier.fit(X[:100], NAMES[:100])
    expected = Target(TargetType.BINARY, ("versicolor", "setosa"))
    assert target_of(tmp_path, two) == expected
    three = LogisticRegression(max_iter=500).fit(X, NAMES)
    names = ("setosa", "versicolor", "virginica")
    assert target_of(tmp_path, three) == Target(TargetType.MULTICLASS, names)
    assert target_of(tmp_path, three, type="multiclass") == Target(TargetType.MULTICLASS, names)
    assert target_of(tmp_path, LinearRegression().fit(X, Y)) == Target(TargetType.REGRESSION)
    assert target_of(tmp_path, IsolationForest(n_estimators=2).fit(X)) == Target(TargetType.ANOMALY)


def test_what_was_given_stays(tmp_path):
    model = LogisticRegression(max_iter=500).fit(X[:100], NAMES[:100])
    found = target_of(tmp_path, model, type="binary", binary_labels=("setosa", "versicolor"))
    assert found.labels == ("setosa", "versicolor")


def test_what_contradicts_the_artifact(tmp_path):
    three = LogisticRegression(max_iter=500).fit(X, NAMES)
    with pytest.raises(SettingsError, match=r"has 3 classes .*: expected two"):
        target_of(tmp_path, three, type="binary")
    with pytest.raises(SettingsError, match="contradicts the artifact"):
        target_of(tmp_path, LinearRegression().fit(X, Y), type="multiclass")


def test_an_artifact_that_does_not_say(tmp_path):
    hook = "def score(data, model, **kwargs):\n    return data\n"
    with pytest.raises(SettingsError, match=r"Target type is missing\. .* does not say it"):
        target_of(tmp_path, LinearRegression().fit(X, Y), custom=hook)


def test_a_regression_that_is_only_assumed_is_logged(caplog):
    with caplog.at_level("WARNING"):
        assert target_of_labels(("a", "b"))[0] is TargetType.BINARY
        assert target_of_labels((), "regression")[0] is TargetType.REGRESSION
        assert not caplog.records
        assert target_of_labels(())[0] is TargetType.REGRESSION
    (record,) = caplog.records
    assert "taken for a regression" in record.getMessage()
