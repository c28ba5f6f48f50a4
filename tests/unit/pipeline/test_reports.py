from __future__ import annotations

import sys
import types

import numpy as np
import pandas as pd
import pytest

from polyhost.data.payload import Payload, Scores, Table
from polyhost.pipeline.reports import (
    DataRobotReporter,
    LocalReporter,
    Monitor,
    Monitoring,
    folder,
    reporter_for,
)

FEATURES = pd.DataFrame({"a": [1.5, 2.5], "word": ["x", "y"]})


@pytest.fixture
def local(tmp_path):
    return LocalReporter(tmp_path / "reports", "d1", "m1")


def kept(place):
    parts = sorted((place / "reports").glob("*.parquet"))
    return pd.concat(map(pd.read_parquet, parts)).drop(columns="reported_at").to_dict("list")


def counters(place):
    (file,) = (place / "reports").glob("*.prom")
    return file.read_text().splitlines()


def test_values(local, tmp_path):
    local.report_deployment_stats(2, 10.5)
    local.report_deployment_stats(1)
    local.report_predictions_data(FEATURES, [3.0, 4.0], association_ids=["i", 7])
    local.close()
    assert kept(tmp_path) == {
        "deployment": ["d1", "d1"],
        "prediction": [3.0, 4.0],
        "association_id": ["i", "7"],
        "feature.a": [1.5, 2.5],
        "feature.word": ["x", "y"],
    }
    assert counters(tmp_path) == [
        "# TYPE polyhost_reported_predictions_total counter",
        'polyhost_reported_predictions_total{deployment="d1",model="m1"} 3',
        "# TYPE polyhost_reported_milliseconds_total counter",
        'polyhost_reported_milliseconds_total{deployment="d1",model="m1"} 10.5',
    ]


def test_classes(local, tmp_path):
    local.report_predictions_data(predictions=[[0.25, 0.75]], class_names=["no", "yes"])
    local.close()
    assert kept(tmp_path) == {
        "deployment": ["d1"],
        "prediction.no": [0.25],
        "prediction.yes": [0.75],
    }


def test_the_monitor_reads_the_body_again(local, tmp_path):
    scores = Scores(Table.from_matrix(("no", "yes"), np.array([[0.5, 0.5], [0.1, 0.9]])))
    Monitor(local).predicted(Payload(FEATURES.to_csv(index=False).encode()), scores, 0.25)
    local.close()
    assert kept(tmp_path)["prediction.yes"] == [0.5, 0.9]
    assert kept(tmp_path)["feature.word"] == ["x", "y"]
    assert counters(tmp_path)[-1].endswith(" 250.0")


def test_a_failed_report_is_logged(tmp_path, caplog):
    (tmp_path / "file").write_text("")
    broken = LocalReporter(tmp_path / "file" / "no folder")
    broken._written = float("-inf")
    Monitor(broken).predicted(Payload(b"a\n1\n"), Scores(Table(("y",), [np.ones(1)])), 0.0)
    assert "a report of 1 prediction(s) failed" in caplog.text


def test_the_folder(monkeypatch, tmp_path):
    settings = "spooler_type=filesystem;directory=/spool;max_files=1"
    assert str(folder(Monitoring(settings=settings))) == "/spool"
    monkeypatch.setenv("POLYHOST_REPORTS", str(tmp_path))
    assert folder() == tmp_path
    monkeypatch.delenv("POLYHOST_REPORTS")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert folder() == tmp_path / "polyhost" / "reports"


# DataRobot's own library


class Client:
    """Notes what is called, as the library's client is called."""

    def __init__(self):
        self.calls = []

    def __getattr__(self, name):
        def call(*args, **named):
            self.calls.append((name, *args, *named.values()))
            return self

        return call


@pytest.fixture(params=["datarobot_mlops.mlops", "datarobot.mlops.mlops"])
def library(request, monkeypatch):
    """The library, installed under its name of today or before; and the client that it made."""
    module = types.ModuleType(request.param)
    client = Client()
    module.MLOps = lambda: client
    parents = request.param.split(".")[:-1]
    for depth in range(1, len(parents) + 1):
        name = ".".join(parents[:depth])
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    monkeypatch.setitem(sys.modules, request.param, module)
    return client


def test_the_librarys_client_with_a_channel(library):
    reporter = reporter_for(Monitoring(deployment_id="d", model_id="m", settings="spooler_type=x"))
    reporter.report_deployment_stats(2, 3.0)
    reporter.close()
    assert isinstance(reporter, DataRobotReporter)
    assert library.calls == [
        ("set_deployment_id", "d"),
        ("set_model_id", "m"),
        ("set_channel_config", "spooler_type=x"),
        ("init",),
        ("report_deployment_stats", 2, 3.0),
        ("shutdown",),
    ]


def test_the_librarys_client_by_the_api(library):
    reporter_for(Monitoring(deployment_id="d", webserver="https://h", api_token="t"))
    assert ("set_api_spooler", "https://h", "t") in library.calls
    assert ("set_async_reporting", True) in library.calls


def test_local_where_it_is_not_set_up(library, tmp_path):
    settings = Monitoring(settings=f"directory={tmp_path}")
    assert isinstance(reporter_for(settings), LocalReporter)
    assert library.calls == []
