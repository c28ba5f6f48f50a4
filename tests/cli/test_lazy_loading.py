"""``--lazy-loading-file``: the artifact comes from a bucket, in every command that has the flag."""

from __future__ import annotations

import json
import pickle

import pytest
from sklearn.dummy import DummyRegressor
from support.s3 import KEY, s3

KIND = ("--target-type", "regression")


@pytest.fixture
def lazy(tmp_path, monkeypatch):
    """An empty code dir, and a file that says where its artifact is."""
    (tmp_path / "s3" / "bucket").mkdir(parents=True)
    model = DummyRegressor().fit([[0.0], [1.0]], [4.0, 6.0])
    (tmp_path / "s3" / "bucket" / "model.pkl").write_bytes(pickle.dumps(model))
    (tmp_path / "rows.csv").write_text("a\n2\n", encoding="utf-8")
    (tmp_path / "code").mkdir()
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    with s3(tmp_path / "s3") as url:
        said = {
            "files": [{"remotePath": "model.pkl", "localPath": "model.pkl", "repositoryId": "r"}],
            "repositories": [
                {
                    "repositoryId": "r",
                    "bucketName": "bucket",
                    "credentialId": "c",
                    "endpointUrl": url,
                }
            ],
            "credentials": [
                {
                    "id": "c",
                    "credentialType": "s3",
                    "awsAccessKeyId": KEY,
                    "awsSecretAccessKey": "hush",
                }
            ],
        }
        file = tmp_path / "lazy.yaml"
        file.write_text(json.dumps(said), encoding="utf-8")
        yield tmp_path / "code", file


def test_score(polyhost, lazy, tmp_path):
    code, file = lazy
    words = ("score", "-cd", code, "--input", tmp_path / "rows.csv", *KIND)
    done = polyhost(*words, "--output", tmp_path / "out.csv", env={"LAZY_LOADING_FILE": str(file)})
    assert (done.code, done.err) == (0, "")
    header, value = (tmp_path / "out.csv").read_text().split()
    assert (header, round(float(value), 9)) == ("Predictions", 5.0)
    assert "hush" not in done.out


def test_validation(polyhost, lazy, tmp_path):
    code, file = lazy
    words = ("validation", "-cd", code, "--input", tmp_path / "rows.csv", *KIND)
    done = polyhost(*words, "--lazy-loading-file", file)
    assert (done.code, done.out.count("PASSED"), done.err) == (0, 4, "")


def test_server(serve, lazy):
    code, file = lazy
    server = serve("-cd", code, *KIND, "--lazy-loading-file", file, command="server")
    assert server.post("/predict/", "a\n2\n").json() == {"predictions": [5.0]}


def test_the_error_server_tells_what_could_not_be_fetched(serve, lazy, tmp_path):
    code, file = lazy
    (tmp_path / "s3" / "bucket" / "model.pkl").unlink()
    server = serve(
        *("-cd", code, *KIND, "--lazy-loading-file", file, "--with-error-server"),
        command="server",
        wait=False,
    )
    server.wait_answering("/ping", 513)
    assert "cannot fetch 'model.pkl'" in server.client.get("/").json()["message"]
