"""What an installed package adds by entry points: a language, a model library and a protocol."""

from __future__ import annotations

from pathlib import Path

import pytest
from support import mlflow_models
from support.command import ROOT
from support.plugins import INSTALLED, PLUGINS, fake_model, rows, write


@pytest.fixture
def served(serve, tmp_path):
    return serve(fake_model(tmp_path / "scripted"), env=INSTALLED)


def test_a_language_is_found_by_its_files_and_served(served):
    reply = served.post("/predict/", rows("answers", "answers"))
    assert (reply.status_code, reply.json()) == (200, {"predictions": [2.0, 3.0]})


def test_its_workers_have_the_variables_that_its_row_gives(served):
    assert served.post("/predict/", rows("variable")).json() == {"predictions": [1.0]}


def test_its_errors_are_told_and_its_dead_workers_replaced(served):
    failed = served.post("/predict/", rows("raises:so"))
    assert (failed.status_code, "ValueError: so" in failed.json()["message"]) == (500, True)
    ended = served.post("/predict/", rows("exits:4"))
    assert (ended.status_code, "status 4" in ended.json()["message"]) == (500, True)
    served.wait_answering()
    assert served.post("/predict/", rows("answers")).json() == {"predictions": [2.0]}


def test_a_protocol_has_its_routes_on_every_model(served):
    for path in ("/lines", "/models/scripted/lines"):
        reply = served.post(path, "1\n41\n", "text/plain")
        assert (reply.status_code, reply.text) == (200, "2.0\n42.0\n")
    wrong = served.post("/lines", "one\n", "text/plain")
    assert (wrong.status_code, "not a number on each line" in wrong.text) == (422, True)
    assert "/lines" in served.client.get("/openapi.json").json()["paths"]


def test_a_language_has_checks_and_a_template(polyhost, tmp_path):
    done = polyhost("doctor", "--language", "fake", env=INSTALLED)
    assert (done.code, "the scripted language" in done.out) == (0, True), done.err
    made = polyhost("new", "model", "--language", "fake", "-cd", tmp_path / "new", env=INSTALLED)
    assert made.code == 0, made.err
    assert (tmp_path / "new" / "custom.fake").is_file()


def test_a_library_loads_its_artifacts_after_ours(polyhost, tmp_path):
    folder = write(tmp_path / "model", {"model.sample": '{"adds": 10}'})
    (tmp_path / "rows.csv").write_text("a\n1\n2\n", encoding="utf-8")
    paths = ("--input", tmp_path / "rows.csv", "--output", tmp_path / "out.csv")
    done = polyhost("score", "-cd", folder, *paths, env=INSTALLED)
    assert done.code == 0, done.err
    assert (tmp_path / "out.csv").read_text() == "Predictions\n11.0\n12.0\n"


def test_without_the_package_there_is_no_such_language(polyhost, tmp_path):
    done = polyhost("doctor", "--language", "fake")
    assert done.code != 0
    assert "fake" in done.err


def test_one_that_cannot_be_imported_is_left_out_with_a_warning(polyhost, tmp_path):
    info = tmp_path / "broken-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[polyhost.bridges]\nbad = nothing_like_this:BRIDGE\n")
    path = ":".join(map(str, (ROOT, PLUGINS, tmp_path)))
    done = polyhost("doctor", "--language", "fake", env={"PYTHONPATH": path})
    assert done.code == 0, done.err
    assert "bad = nothing_like_this:BRIDGE" in done.err


def test_ours_come_before_those_of_packages():
    from polyhost.bridges import all_bridges

    assert list(all_bridges())[:4] == ["python", "r", "java", "julia"]
    assert Path(all_bridges()["r"].template_folder).is_dir()


def test_a_flavor_of_mlflows_models_is_served(serve, tmp_path):
    folder = mlflow_models.write(tmp_path / "saved", {"sample": {"adds": 10}})
    served = serve(folder, env=INSTALLED)
    reply = served.client.post("/invocations", json=[{"a": 1}, {"a": 2}])
    assert reply.json() == [{"a": 11}, {"a": 12}]
