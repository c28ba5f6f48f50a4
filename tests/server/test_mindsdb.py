"""MindsDB's protocol: a model that starts untrained, is trained over HTTP, and answers its handlers."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import httpx
import numpy as np
import pandas as pd
import pytest
from sklearn.tree import DecisionTreeClassifier
from support import mindsdb
from support.fake_model import FakeHost, FakeModel
from support.served import Served

from polyhost.data.target import Target, TargetType
from polyhost.deploy.training import Training
from polyhost.errors import LoadError, NotTrained
from polyhost.pipeline.pipeline import open_predictor
from polyhost.predictor import ModelSpec
from polyhost.server.app import build
from polyhost.server.auth import digest_of
from polyhost.settings import ApiKey, ServerSettings

TREE = """
import os
import pickle
from pathlib import Path

from sklearn.tree import DecisionTreeClassifier


def fit(X, y, output_dir, parameters=None, **kwargs):
    wanted = dict(parameters or {})
    print("fit", len(X), sorted(wanted.items()), flush=True)
    if wanted.get("crash"):
        os._exit(7)
    if wanted.get("raises"):
        raise ValueError("no such depth")
    if wanted.get("waits"):
        Path(wanted["waits"]).read_text()  # a named pipe
    model = DecisionTreeClassifier(max_depth=wanted.get("depth"), random_state=0).fit(X, y)
    if wanted.get("damage"):
        Path(output_dir, "model.pkl").write_bytes(b"no pickle")
    else:
        Path(output_dir, "model.pkl").write_bytes(pickle.dumps(model))
    if wanted.get("bytes"):
        Path(output_dir, "ballast").write_bytes(os.urandom(wanted["bytes"]))
"""
MEAN = """
import json
from pathlib import Path

import pandas as pd


def fit(X, y, output_dir, **kwargs):
    Path(output_dir, "mean.json").write_text(json.dumps([float(y.mean()), float(y.std())]))


def load_model(code_dir):
    return json.loads(Path(code_dir, "mean.json").read_text())


def score(data, model, **kwargs):
    mean, width = model
    return pd.DataFrame({"Predictions": [mean] * len(data), "lower": mean - width,
                         "upper": mean + width, "confidence": 0.5, "note": None})
"""
PLAIN = """
import pandas as pd


def load_model(code_dir):
    return 1

def score(data, model, **kwargs):
    return pd.DataFrame({"Predictions": data["a"] / 2, "seen": data["a"]})
"""
FRAME = pd.DataFrame(
    {
        "length": [1.0, 1.5, 4.0, 4.5, 6.0, 6.5],
        "width": [1, 2, 1, 2, 1, 2],
        "kind": ["short", "short", "middle", "middle", "long", "long"],
    }
)
LABELS = ["long", "middle", "short"]
QUOTA = 4 << 20


def write(folder: Path, text: str, metadata: str = "") -> Path:
    folder.mkdir(parents=True)
    (folder / "custom.py").write_text(text, encoding="utf-8")
    if metadata:
        (folder / "model-metadata.yaml").write_text(metadata, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mindsdb")
    write(folder / "kinds", TREE)
    write(folder / "mean", MEAN)
    write(folder / "plain", PLAIN, "name: plain\ntype: inference\ntargetType: regression\n")
    models = [{"name": name, "path": name} for name in ("kinds", "mean", "plain")]
    listed = "".join(f"  {each['name']}:\n    path: {each['path']}\n" for each in models)
    store = f"store:\n  path: {folder / 'store'}\n  quota: {QUOTA}\n"
    (folder / "polyhost.yaml").write_text(f"{store}models:\n{listed}", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def server(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    served = Served.start(tmp_path_factory.mktemp("server"), "--config", folder / "polyhost.yaml")
    yield served
    served.stop()


@pytest.fixture(scope="module")
def client(server: Served) -> httpx.Client:
    return server.client


@pytest.fixture(scope="module")
def trained(client: httpx.Client) -> str:
    """The address of a model that was trained."""
    mindsdb.train(client, "/kinds/train", FRAME, "kind", depth=5)
    return "/kinds/predict"


def test_an_untrained_model_is_no_failure(client: httpx.Client) -> None:
    assert client.get("/readyz").json()["models"]["mean"] == "untrained"
    assert client.get("/mean/train").json() == {"status": "none"}
    with pytest.raises(mindsdb.HandlerError, match="the model is not trained yet"):
        mindsdb.predict(client, "/mean/predict", FRAME, "length")
    mindsdb.train(client, "/mean/train", FRAME[["width", "length"]], "length")
    found = mindsdb.predict(client, "/mean/predict", FRAME[:2], "length")
    mean, width = FRAME["length"].mean(), FRAME["length"].std()
    assert (
        found.to_dict("records")
        == [
            {
                "lower": mean - width,
                "upper": mean + width,
                "confidence": 0.5,
                "note": None,
                "length": mean,
            }
        ]
        * 2
    )


def expected() -> pd.DataFrame:
    tree = DecisionTreeClassifier(max_depth=5, random_state=0)
    tree.fit(FRAME[["length", "width"]], FRAME["kind"])
    chances = tree.predict_proba(FRAME[["length", "width"]])
    found = pd.DataFrame({f"{name}_probability": chances[:, i] for i, name in enumerate(LABELS)})
    found.insert(0, "confidence", chances.max(axis=1))
    return found.assign(kind=tree.predict(FRAME[["length", "width"]]))


@pytest.mark.parametrize("is_parquet", [False, True])
def test_what_a_query_gets(client: httpx.Client, trained: str, is_parquet: bool) -> None:
    joined = FRAME[["width", "length"]].assign(
        __mindsdb_row_id=range(len(FRAME)), kind=None, other="x"
    )
    found = mindsdb.predict(client, trained, joined, "kind", is_parquet=is_parquet)
    pd.testing.assert_frame_equal(found, expected())


def test_the_first_generation_is_answered_too(client: httpx.Client, trained: str) -> None:
    found = mindsdb.predict_2022(client, trained, FRAME.assign(other=np.nan))
    pd.testing.assert_frame_equal(
        found.rename(columns={"prediction": "kind"})[expected().columns], expected()
    )
    found = mindsdb.predict_mlflow(client, "/models/kinds/invocations", FRAME, "kind")
    assert found["kind"].tolist() == FRAME["kind"].tolist()


def test_values_from_the_text_of_a_query_may_be_text(client: httpx.Client, trained: str) -> None:
    row = pd.DataFrame({"length": ["6.0"], "width": ["1"]})
    assert mindsdb.predict(client, trained, row, "kind")["kind"].tolist() == ["long"]


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"{", "not valid JSON"),
        (b'{"rows": 1}', "the body has no table"),
        (b'{"df": "[{\\"length\\": 1}]"}', "width"),
        (b'{"df": "[]"}', "no rows"),
        (b'{"df": "[{\\"length\\": [1], \\"width\\": 1}]"}', "length"),
        (b"", "the body is empty"),
    ],
)
def test_errors_are_what_the_handler_shows(
    client: httpx.Client, trained: str, body: bytes, says: str
) -> None:
    reply = client.post(trained, content=body, headers=mindsdb.TYPE)
    assert reply.status_code == 400
    found = reply.json()
    assert "prediction" not in found
    assert says in found["status"]
    assert found["error"] == found["status"]


@pytest.mark.parametrize(
    ("args", "status", "says"),
    [
        ({"raises": True}, 500, "no such depth"),
        ({"crash": True}, 500, "exit status 7"),
        ({"damage": True}, 500, "model.pkl"),
        ({"bytes": QUOTA}, 507, "quota"),
    ],
)
def test_a_training_that_fails_leaves_the_model_as_it_was(
    client: httpx.Client, trained: str, args: dict[str, object], status: int, says: str
) -> None:
    body = {"df": FRAME.to_json(orient="records"), "target": "kind", "args": args}
    reply = client.post("/kinds/train", json=body)
    assert (reply.status_code, says in reply.json()["status"]) == (status, True), reply.text
    shown = client.get("/kinds/train").json()
    assert (shown["status"], says in shown["message"]) == ("failed", True)
    found = mindsdb.predict(client, trained, FRAME, "kind")
    pd.testing.assert_frame_equal(found, expected())


def test_what_cannot_be_trained(client: httpx.Client, trained: str) -> None:
    with pytest.raises(mindsdb.HandlerError, match="no target column 'nothing'"):
        mindsdb.train(client, "/kinds/train", FRAME, "nothing")
    body = {"df": FRAME.to_json(orient="records"), "target": "kind"}
    reply = client.post("/plain/train", json=body)
    assert reply.status_code == 400
    assert "cannot be trained here: expected a fit hook" in reply.json()["status"]
    found = client.post("/plain/predict", json={"df": '[{"a": 3}]'}).json()
    assert found == {"prediction": [1.5], "seen": [3]}


def test_a_training_shows_how_it_stands(
    server: Served, client: httpx.Client, trained: str, tmp_path: Path
) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    done: list[object] = []

    def run() -> None:
        with httpx.Client(base_url=client.base_url, timeout=60, trust_env=False) as own:
            mindsdb.train(own, "/models/kinds/train", FRAME, "kind", depth=5, waits=str(pipe))
            done.append("ok")

    thread = threading.Thread(target=run)
    thread.start()
    with open(pipe, "w"):  # opens once the hook reads
        shown = client.get("/kinds/train").json()
        assert (shown["status"], shown["step"]) == ("running", "training")
        with pytest.raises(mindsdb.HandlerError, match="is being trained already"):
            mindsdb.train(client, "/kinds/train", FRAME, "kind")
        pd.testing.assert_frame_equal(mindsdb.predict(client, trained, FRAME, "kind"), expected())
    thread.join(60)
    assert done == ["ok"]
    shown = client.get("/kinds/train").json()
    assert (shown["status"], shown["rows"]) == ("ok", len(FRAME))
    assert "fit 6" in shown["output"][-1]


def test_a_trained_model_is_there_after_a_restart(
    folder: Path, tmp_path: Path, trained: str
) -> None:
    served = Served.start(tmp_path, "--config", folder / "polyhost.yaml")
    try:
        found = mindsdb.predict(served.client, trained, FRAME, "kind")
        pd.testing.assert_frame_equal(found, expected())
    finally:
        served.stop()
    custom = folder / "kinds" / "custom.py"
    custom.write_text(custom.read_text() + "\n", encoding="utf-8")
    (tmp_path / "again").mkdir()
    served = Served.start(tmp_path / "again", "--config", folder / "polyhost.yaml")
    try:
        assert served.client.get("/readyz").json()["models"]["kinds"] == "untrained"
        assert "its folder has changed since version" in served.err
    finally:
        served.stop()


def test_a_large_table_in_a_form_is_trained_on(client: httpx.Client) -> None:
    rows = pd.DataFrame({"x": np.arange(300_000.0), "y": np.full(300_000, 2.5)})
    mindsdb.train(client, "/mean/train", rows, "y", is_parquet=True)
    found = mindsdb.predict(client, "/mean/predict", rows[:1], "y")
    assert found["y"].tolist() == [2.5]


def test_whole_numbers_are_exact(client: httpx.Client) -> None:
    body = {"df": '[{"a": 9007199254740993}, {"a": -4}]'}
    found = client.post("/plain/predict", json=body).json()
    assert found == {"prediction": [4503599627370496.5, -2.0], "seen": [9007199254740993, -4]}


@pytest.mark.parametrize(
    ("key", "origin", "status"),
    [("p", "", 403), ("a", "", 200), ("other", "", 403), ("", "", 401), ("x", "http://e", 401)],
)
def test_training_needs_an_admins_key(tmp_path: Path, key: str, origin: str, status: int) -> None:
    keys = (
        ApiKey("plain", digest_of("p")),
        ApiKey("admin", digest_of("a"), "admin"),
        ApiKey("elsewhere", digest_of("other"), "admin", models=("another",)),
    )
    assert answered(ServerSettings(keys=keys), key, origin) == status


def test_without_keys_no_page_in_a_browser_trains() -> None:
    assert answered(ServerSettings(), "", "") == 200
    assert answered(ServerSettings(), "", "http://elsewhere") == 403


class FakeDeployer:
    """Trains nothing."""

    async def train(self, name: str, meta: bytes, body: Any) -> Training:
        return Training(state="ok", version="1", rows=1)


def answered(settings: ServerSettings, key: str, origin: str) -> int:
    """The status of a request to train; the key is in the address, where MindsDB has it."""
    app = build(cast(Any, FakeHost(FakeModel())), settings, deployer=FakeDeployer())

    async def run() -> int:
        transport = httpx.ASGITransport(cast(Any, app))
        auth = ("any", key) if key else None
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            headers = {"Origin": origin} if origin else {}
            found = await client.post("/m/train", content=b"{}", headers=headers, auth=auth)
            return found.status_code

    return asyncio.run(run())


def test_a_broken_custom_file_is_no_untrained_model(tmp_path: Path) -> None:
    target = Target(TargetType.REGRESSION)

    def failure(text: str) -> LoadError:
        folder = write(tmp_path / str(len(text)), text)
        with pytest.raises(LoadError) as error:
            open_predictor(ModelSpec(folder, "python", target, Path("custom.py")))
        return error.value

    assert isinstance(failure(MEAN), NotTrained)
    broken = failure(MEAN + "import no_such_module\n")
    assert not isinstance(broken, NotTrained)
    assert "no_such_module" in broken.message
