"""Sources that a tracking server resolves: each address names what it names for MLflow's own client."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import yaml

from polyhost.errors import SettingsError, SourceError, TrackingUnreachable
from polyhost.store import Store
from polyhost.tracking import Access, open_backend, resolve

SPECIMENS = Path(__file__).parents[1] / "specimens"


@pytest.fixture
def backend(tracking):
    found = open_backend(Access.of({"MLFLOW_TRACKING_URI": tracking.uri}))
    yield found
    found.close()


@pytest.fixture
def store(tmp_path, tracking, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", tracking.uri)
    with Store(tmp_path / "store") as made:
        yield made


def model_id(path) -> str:
    return yaml.safe_load((path / "MLmodel").read_text())["model_id"]


def test_each_address_names_the_model_that_mlflow_finds(tracking, store):
    expected = tracking.seeded["located"]
    assert {source: model_id(store.add(source).path) for source in expected} == expected


def test_a_version_is_called_as_it_is_registered(tracking, store):
    version = store.add("models:/my iris@champion")
    assert (version.name, version.label) == ("my-iris", "1")
    assert store.add(f"runs:/{tracking.seeded['run']}/model").label == ""


def test_folders_below_folders_come_along(tracking, store):
    version = store.add(f"runs:/{tracking.seeded['run']}/plain")
    assert model_id(version.path / "inner") == tracking.seeded["models"][1]


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("models:/nobody/1", "RESOURCE_DOES_NOT_EXIST"),
        ("models:/nobody/latest", "RESOURCE_DOES_NOT_EXIST"),
        ("models:/my iris@nobody", "alias nobody not found"),
        ("models:/my iris/Staging", "no version in stage Staging"),
        ("models:/m-0123", "RESOURCE_DOES_NOT_EXIST"),
        ("models:/my iris/1/2", "expected models:/NAME/VERSION"),
        ("models:my iris", "expected models:/NAME/VERSION"),
        ("models://profile@databricks/x/1", "is not supported"),
        ("runs:/0123/model", "RESOURCE_DOES_NOT_EXIST"),
        ("runs:/{run}/nothing", "no files at"),
        ("runs:/{run}", "runs:/RUN_ID/PATH"),
    ],
)
def test_an_address_that_names_nothing_is_refused(tracking, store, source, said):
    with pytest.raises(SourceError, match=said) as raised:
        store.add(source.format(run=tracking.seeded["run"]), "m")
    assert not isinstance(raised.value, TrackingUnreachable)


def test_names_with_marks_are_read_as_they_are(tracking, backend, store):
    name = "it's 100% a #1 ü"
    files = {"MLmodel": b"flavors: {}\n", "a b/c+d ü.txt": b"x"}
    number = tracking.register(name, files, "of a ü+b")
    assert backend.versions(name)[0].version == number
    version = store.add(f"models:/{name}/latest")
    assert version.name == "it-s-100-a-1-"
    assert (version.path / "a b/c+d ü.txt").read_bytes() == b"x"


def test_a_version_registered_by_its_run_has_the_files_of_the_logged_model(tracking, store):
    """mlflow/mlflow#25562: the registry notes a folder of the run, which holds no model."""
    run = tracking.seeded["run"]
    tracking.call("POST", "registered-models/create", name="by run")
    source = f"runs:/{run}/model"
    tracking.call("POST", "model-versions/create", name="by run", source=source, run_id=run)
    version = store.add("models:/by run/1")
    assert (model_id(version.path), version.label) == (tracking.seeded["models"][1], "1")


def test_a_tag_is_searched_over_all_pages(tracking, backend, monkeypatch):
    monkeypatch.setattr("polyhost.tracking.rest.PAGE", 2)
    for number in range(5):
        tracking.register(f"page {number}", {"MLmodel": b"flavors: {}\n"})
        if number != 3:
            tracking.tag(f"page {number}", "a-tag with space", "" if number else "v")
    found = {model.name: dict(model.tags) for model in backend.models("a-tag with space")}
    assert found == {f"page {n}": {"a-tag with space": "" if n else "v"} for n in (0, 1, 2, 4)}
    assert len(backend.models(None)) >= 6


def test_a_version_that_moved_is_read_again_and_one_that_is_here_is_not(tracking, backend, store):
    first = tracking.register("moves", {"MLmodel": b"flavors: {one: {}}\n"})
    tracking.alias("moves", "live", first)
    before = store.add("models:/moves@live")
    second = tracking.register("moves", {"MLmodel": b"flavors: {two: {}}\n"})
    tracking.alias("moves", "live", second)
    after = store.add("models:/moves@live")
    assert [before.label, after.label] == ["1", "2"]
    assert b"two" in (after.path / "MLmodel").read_bytes()
    # Its files are gone from the server: what is here is enough.
    location = resolve("models:/moves/1", backend)
    (
        tracking.folder / "kept" / location.uri.removeprefix("mlflow-artifacts:/") / "MLmodel"
    ).unlink()
    assert store.add("models:/moves/1") == before


def test_what_is_in_the_store_is_used_while_the_server_is_away(
    tracking, store, monkeypatch, caplog
):
    there = store.add("models:/my iris/2")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setattr("polyhost.tracking.http.PAUSE", 0)
    again = store.add("models:/my iris/2")
    assert (again, again.label) == (there, "2")
    assert "cannot reach http://127.0.0.1:9" in caplog.text
    with pytest.raises(TrackingUnreachable, match=r"cannot reach http://127\.0\.0\.1:9"):
        store.add("models:/my iris/1")


def test_a_model_is_served_from_its_address_under_its_registered_version(tracking, serve, tmp_path):
    tracking.register("plain code", {"custom.py": CUSTOM, "model-metadata.yaml": METADATA})
    environ = {
        "MLFLOW_TRACKING_URI": tracking.uri,
        "XDG_CACHE_HOME": str(tmp_path),
        "POLYHOST__ADMIN__ENABLED": "true",
    }
    served = serve("models:/plain code/1", env=environ)
    assert served.post("/predict/", "a\n3\n").json() == {"predictions": [6.0]}
    assert served.client.get("/admin/models/plain-code").json()["version"] == "1"


CUSTOM = b"""
import pandas as pd

def load_model(code_dir):
    return 2.0

def score(data, model, **kwargs):
    return pd.DataFrame({"Predictions": data["a"] * model})
"""
METADATA = b"name: plain\ntype: inference\ntargetType: regression\n"


def test_a_password_is_never_printed(polyhost):
    uri = "http://joe:swordfish@127.0.0.1:9"
    done = polyhost(
        "serve", "--port", "0", "--logging-level", "debug", "models:/x/1",
        env={"MLFLOW_TRACKING_URI": uri, "MLFLOW_TRACKING_TOKEN": "tunafish"},
    )  # fmt: skip
    assert done.code == 1
    assert "cannot reach http://127.0.0.1:9" in done.err
    assert "fish" not in done.out + done.err


def test_the_database_itself_says_the_same_as_its_server(tracking, backend):
    """Of the server's own database, which MLflow would read without a server."""
    database = open_backend(Access.of({}, f"sqlite:///{tracking.folder / 'tracking.db'}"))
    sources = tracking.seeded["located"]
    assert [resolve(s, database) for s in sources] == [resolve(s, backend) for s in sources]
    assert database.models(None) == sorted(backend.models(None), key=lambda model: model.name)
    name = "my iris"
    by_number = [sorted(b.versions(name), key=lambda v: v.version) for b in (database, backend)]
    assert by_number[0] == by_number[1]
    for source, said in (
        ("models:/nobody/1", "no registered model 'nobody'"),
        ("models:/nobody/latest", "no registered model 'nobody'"),
        ("models:/my iris@nobody", "has no alias 'nobody'"),
        ("models:/m-0123", "no logged model 'm-0123'"),
        ("runs:/0123/model", "no run '0123'"),
    ):
        with pytest.raises(SourceError, match=said):
            resolve(source, database)


@pytest.mark.parametrize("prefix", ["", "file://"])
def test_a_folder_of_files_is_read_as_mlflow_wrote_it(tmp_path, monkeypatch, prefix):
    """tests/specimens/mlruns: what seed.py leaves with MLflow 3.17 and a folder as its store."""
    root = tmp_path / "mlruns"
    shutil.copytree(SPECIMENS / "mlruns", root)
    for meta in root.rglob("meta.yaml"):
        meta.write_text(meta.read_text().replace("/HERE", str(tmp_path)))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"{prefix}{root}")
    located = json.loads((SPECIMENS / "mlruns.json").read_text())["located"]
    with Store(tmp_path / "store") as store:
        assert {source: model_id(store.add(source).path) for source in located} == located
        assert store.add("models:/my iris@champion").label == "1"
        for source in ("models:/nobody/1", "models:/my iris/7", "models:/m-0", "runs:/0/model"):
            with pytest.raises(SourceError, match=r"^no "):
                store.add(source)
    (model,) = open_backend(Access.of({}, str(root))).models(None)
    assert (model.name, model.aliases) == ("my iris", {"champion": 1})


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("sqlite:///nowhere.db", "found no file"),
        ("nowhere", "found no folder"),
        ("postgresql://joe:pw@host/db", "'host/db': expected the address of a server"),
        ("databricks://profile", "expected the address of a server"),
    ],
)
def test_a_store_that_is_none_is_named(uri, said):
    with pytest.raises(SettingsError, match=said) as raised:
        open_backend(Access.of({}, uri))
    assert "pw" not in raised.value.message


def test_files_on_the_servers_own_disk_are_named(tracking, store):
    """mlflow/mlflow#11499, #18312: a server without --serve-artifacts, on another machine."""
    experiment = tracking.call(
        "POST", "experiments/create", name="elsewhere", artifact_location="file:///their/disk"
    )["experiment_id"]
    run = tracking.call("POST", "runs/create", experiment_id=experiment)["run"]["info"]["run_id"]
    with pytest.raises(SourceError, match=r"/their/disk/.*--serve-artifacts"):
        store.add(f"runs:/{run}/model")


def test_commands_of_one_model_take_addresses(tracking, polyhost, tmp_path):
    tracking.register("scored", {"custom.py": CUSTOM, "model-metadata.yaml": METADATA})
    (tmp_path / "in.csv").write_text("a\n3\n")
    (tmp_path / "in.json").write_text(
        '{"dataframe_split": {"columns": ["a", "b"], "data": [[1, 0]]}}'
    )
    environ = {"MLFLOW_TRACKING_URI": tracking.uri, "XDG_CACHE_HOME": str(tmp_path / "cache")}
    done = polyhost("score", "--code-dir", "models:/scored/1", "--input", "in.csv", env=environ)
    assert (done.code, done.out.split()) == (0, ["Predictions", "0", "6.0"]), done.err
    done = polyhost("predict", "-m", "models:/my iris@champion", "-i", "in.json", env=environ)
    expected = {"predictions": [pytest.approx(tracking.seeded["one"]["zero"])]}
    assert json.loads(done.out) == expected, done.err
    done = polyhost("predict", "-m", "models:/nobody/1", "-i", "in.json", env=environ)
    assert (done.code, "RESOURCE_DOES_NOT_EXIST" in done.err) == (1, True)
