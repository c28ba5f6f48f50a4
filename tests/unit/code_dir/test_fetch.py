from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from support.s3 import KEY, s3

from polyhost.code_dir.fetch import DATA, RemoteFile, Repository, export_file, fetch, wanted
from polyhost.errors import LoadError, RuntimeUnavailable, SettingsError

SECRET = {"credentialType": "s3", "awsAccessKeyId": KEY, "awsSecretAccessKey": "hush"}
FILE = {"remotePath": "models/a.pkl", "localPath": "a.pkl", "repositoryId": "r1"}
REPOSITORY = {"repositoryId": "r1", "bucketName": "bucket", "credentialId": "c1"}
NAME = "MLOPS_REPOSITORY_SECRET_C1"


@pytest.fixture(autouse=True)
def nothing_of_the_users_own(tmp_path, monkeypatch):
    """No configuration of Amazon's tools, and no proxy."""
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def bucket(tmp_path):
    folder = tmp_path / "s3" / "bucket" / "models"
    folder.mkdir(parents=True)
    (folder / "a.pkl").write_bytes(b"first")
    (folder / "b.pkl").write_bytes(bytes(100_000))
    with s3(tmp_path / "s3") as url:
        yield {**REPOSITORY, "endpointUrl": url}


def environment(files, repository=REPOSITORY, secret=SECRET):
    data = {"files": files, "repositories": [repository]}
    return {DATA: json.dumps(data), NAME: json.dumps(secret)}


def test_files_are_fetched_into_the_code_dir(bucket, tmp_path):
    code_dir = tmp_path / "code"
    code_dir.mkdir()
    (code_dir / "a.pkl").write_bytes(b"old")
    other = {"remotePath": "models/b.pkl", "localPath": "deep/b.pkl", "repositoryId": "r1"}
    found = fetch(code_dir, environment([FILE, other], bucket))
    assert found == [code_dir / "a.pkl", code_dir / "deep" / "b.pkl"]
    assert (code_dir / "a.pkl").read_bytes() == b"first"
    assert (code_dir / "deep" / "b.pkl").read_bytes() == bytes(100_000)
    assert sorted(path.name for path in code_dir.iterdir()) == ["a.pkl", "deep"]


def test_nothing_is_asked_for(tmp_path):
    assert fetch(tmp_path, {}) == []
    assert fetch(tmp_path, environment([])) == []


def test_a_file_that_is_not_there(bucket, tmp_path):
    absent = {**FILE, "remotePath": "models/c.pkl"}
    with pytest.raises(LoadError) as raised:
        fetch(tmp_path, environment([absent], bucket))
    said = raised.value.message
    assert "cannot fetch 'models/c.pkl' from the bucket 'bucket' at http://127.0.0.1" in said
    assert "404" in said
    assert not (tmp_path / "a.pkl").exists()


def test_a_wrong_credential(bucket, tmp_path):
    secret = {**SECRET, "awsAccessKeyId": "other"}
    with pytest.raises(LoadError, match="403"):
        fetch(tmp_path, environment([FILE], bucket, secret))


def test_without_boto3(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(RuntimeUnavailable, match=r"pip install 'polyhost\[s3\]'"):
        fetch(tmp_path, environment([FILE]))


def test_what_is_wanted(tmp_path):
    repository = {**REPOSITORY, "endpointUrl": "https://s3.example", "verifyCertificate": False}
    elsewhere = {**FILE, "localPath": "/data/a.pkl"}
    own = Repository("r1", "bucket", "c1", "https://s3.example", verify=False)
    assert wanted(tmp_path, environment([FILE, elsewhere], repository)) == [
        RemoteFile("models/a.pkl", tmp_path / "a.pkl", own),
        RemoteFile("models/a.pkl", Path("/data/a.pkl"), own),
    ]


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({DATA: "{"}, "MLOPS_LAZY_LOADING_DATA is no JSON"),
        ({DATA: "[]"}, "has no list 'repositories': .* found no mapping"),
        (environment([{"remotePath": "x"}]), "item 1 of files .* lacks localPath, repositoryId"),
        (environment([{**FILE, "repositoryId": "r2"}]), "repository 'r2', which is not listed"),
        (environment([{**FILE, "localPath": "../a"}]), r"'\.\./a' leads out of the code dir"),
        ({NAME: ""}, f"expected a JSON object in the environment variable {NAME}; found nothing"),
        ({NAME: '{"credentialType": "gcp"}'}, "has the type 'gcp': expected 's3'"),
        ({NAME: '{"credentialType": "s3"}'}, "lacks awsAccessKeyId, awsSecretAccessKey"),
    ],
)
def test_what_cannot_be_fetched(tmp_path, changed, says):
    with pytest.raises(SettingsError, match=says):
        fetch(tmp_path, {**environment([FILE]), **changed})


YAML = """\
files:
  - remotePath: models/a.pkl
    localPath: a.pkl
    repositoryId: r1
repositories:
  - repositoryId: r1
    bucketName: bucket
    credentialId: c1
credentials:
  - id: c1
    credentialType: s3
    awsAccessKeyId: key-7
    awsSecretAccessKey: hush
"""


def test_the_file_of_a_local_run(tmp_path):
    path = tmp_path / "lazy.yaml"
    path.write_text(YAML, encoding="utf-8")
    environ: dict[str, str] = {}
    export_file(path, environ)
    assert {name: json.loads(value) for name, value in environ.items()} == {
        DATA: {"files": [FILE], "repositories": [REPOSITORY]},
        NAME: SECRET,
    }


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "has no list 'files': .* found no mapping"),
        (YAML.split("credentials:")[0], "no list 'credentials': .* found files, repositories"),
        (YAML.replace("- id: c1", "- name: c1"), "item 1 of credentials .* lacks id"),
        (YAML.replace("bucketName: bucket", "bucketName:"), "lacks bucketName"),
    ],
)
def test_a_file_that_is_wrong(tmp_path, text, says):
    path = tmp_path / "lazy.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError, match=says):
        export_file(path, {})
