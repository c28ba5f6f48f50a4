"""Sources at an address: archives over HTTP, checked by their digest, and objects of S3."""

from __future__ import annotations

import hashlib
import io
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from support.s3 import KEY, s3

from polyhost.errors import DigestMismatch, SourceError, TrackingUnreachable
from polyhost.store import Store
from polyhost.store.sources import name_of

FILES = {"custom.py": b"x = 1\n", "data/labels.txt": b"a\nb\n"}


def zip_of(files: dict[str, bytes]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return made.getvalue()


ZIP = zip_of(FILES)
DIGEST = hashlib.sha256(ZIP).hexdigest()


@pytest.fixture(scope="module")
def site():
    """A web server: ``/cut.zip`` ends early, ``/busy.zip`` answers at the third time, ``/closed.zip``
    wants a password."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.split("?")[0]
            asked.append(path)
            if path == "/busy.zip" and asked.count(path) < 3:
                self.send_error(503)
            elif path == "/closed.zip" and self.headers.get("Authorization") != "Basic am9lOnB3":
                self.send_error(401)
            elif path in ("/model.zip", "/download", "/cut.zip", "/busy.zip", "/closed.zip"):
                self.send_response(200)
                self.send_header("Content-Length", str(len(ZIP)))
                self.end_headers()
                self.wfile.write(ZIP[:50] if path == "/cut.zip" else ZIP)
            elif path == "/moved.zip":
                self.send_response(302)
                self.send_header("Location", "/model.zip")
                self.end_headers()
            else:
                self.send_error(404)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setattr("polyhost.tracking.http.PAUSE", 0)
    with Store(tmp_path / "store") as made:
        yield made


def contents(folder) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.mark.parametrize("path", ["model.zip", "moved.zip", "busy.zip", "download?key=fish"])
def test_an_archive_whose_digest_is_right_becomes_a_version(store, site, path):
    version = store.add(f"http://{site}/{path}#sha256={DIGEST.upper()}")
    assert (version.name, contents(version.path)) == (path.split(".")[0].split("?")[0], FILES)
    assert "fish" not in store.facts(version).source


def test_a_user_and_password_are_sent_and_not_noted(store, site):
    version = store.add(f"http://joe:pw@{site}/closed.zip#sha256={DIGEST}")
    assert contents(version.path) == FILES
    assert "pw" not in store.facts(version).source
    with pytest.raises(TrackingUnreachable, match="refuses: 401") as raised:
        store.add(f"http://joe:wrongfish@{site}/closed.zip#sha256={DIGEST}")
    assert "wrongfish" not in raised.value.message


@pytest.mark.parametrize(
    ("address", "kind", "said"),
    [
        ("http://{site}/model.zip", SourceError, "expected https://, or #sha256="),
        ("http://{site}/model.zip#sha256=" + "0" * 64, DigestMismatch, "found {digest}"),
        ("http://{site}/model.zip#sha256=12", SourceError, "64 hexadecimal digits"),
        ("http://{site}/none.zip#sha256={digest}", SourceError, "404"),
        ("http://{site}/cut.zip#sha256={digest}", TrackingUnreachable, "broke off"),
        ("http://127.0.0.1:9/m.zip#sha256={digest}", TrackingUnreachable, "cannot reach"),
        ("ftps-no-such://x/m.zip", SourceError, "cannot read"),
    ],
)
def test_what_is_not_the_archive_is_refused(store, site, address, kind, said):
    with pytest.raises(kind, match=said.format(digest=DIGEST)):
        store.add(address.format(site=site, digest=DIGEST))
    assert store.versions() == ()


@pytest.fixture
def bucket(tmp_path, monkeypatch):
    place = tmp_path / "s3" / "bucket"
    for name, content in {**{f"m/x/{k}": v for k, v in FILES.items()}, "m/x.zip": ZIP}.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(content)
    (place / "m/x/é +&.txt").write_bytes(b"marks")
    (place / "m/xy").write_bytes(b"another model's")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with s3(tmp_path / "s3") as url:
        monkeypatch.setenv("MLFLOW_S3_ENDPOINT_URL", url)
        yield place


def test_a_folder_of_objects_becomes_a_version(store, bucket):
    version = store.add("s3://bucket/m/x")
    assert contents(version.path) == {**FILES, "é +&.txt": b"marks"}
    assert store.add("s3://bucket/m/x/") == version


def test_an_archive_in_a_bucket_is_checked_by_its_digest(store, bucket):
    assert contents(store.add(f"s3://bucket/m/x.zip#sha256={DIGEST}").path) == FILES
    with pytest.raises(DigestMismatch):
        store.add("s3://bucket/m/x.zip#sha256=" + "0" * 64)
    with pytest.raises(SourceError, match="is a folder: a digest is of an archive"):
        store.add(f"s3://bucket/m/x#sha256={DIGEST}")


def test_what_is_not_in_the_bucket_or_closed_is_said(store, bucket, monkeypatch):
    with pytest.raises(SourceError, match=r"cannot read s3://bucket/none.*NoSuchKey"):
        store.add("s3://bucket/none")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "other")
    with pytest.raises(SourceError, match=r"AccessDenied.*AWS_ACCESS_KEY_ID"):
        store.add("s3://bucket/m/x")


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("models:/my iris/3", "my-iris"),
        ("models:/iris@champion", "iris"),
        ("models:/iris@x@champion", "iris-x"),
        ("models:/m-0123", "m-0123"),
        ("runs:/0123/some/model", "model"),
        ("mlflow-artifacts:/0/abc/artifacts/model", "model"),
        ("s3://bucket/models/iris.tar.gz", "iris"),
        ("https://host/iris.zip?X-Amz-Signature=a/b#sha256=00", "iris"),
    ],
)
def test_what_a_source_is_called_when_nobody_says(source, name):
    assert name_of(source) == name
