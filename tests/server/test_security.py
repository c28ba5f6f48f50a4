"""Keys, encryption, pinned files, and what workers and logs get to see: over real sockets."""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import os
import pwd
import shutil
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psutil
import pytest
from support.command import Command
from support.served import Served

Serve = Callable[..., Served]
Model = Callable[..., Path]

ECHO = """
import pandas as pd

def load_model(code_dir):
    return 1

def score(data, model, **kwargs):
    if "word" in data and data["word"][0] == "raise":
        raise ValueError("the hook has had enough")
    return pd.DataFrame({"Predictions": data["a"].astype(float)})
"""
TELLS = """
import json, os, subprocess

def score_unstructured(model, data, query, **kwargs):
    if query.get("what") == "headers":
        return json.dumps(dict(kwargs["headers"]))
    if query.get("what") == "user":
        status = open("/proc/self/status").read().splitlines()
        privileges = next(line for line in status if line.startswith("NoNewPrivs"))
        owner = os.stat(os.environ["TMPDIR"]).st_uid
        open(os.path.join(os.environ["TMPDIR"], "mine"), "w").close()
        return json.dumps([os.getresuid(), os.getgroups(), privileges.split()[1], owner,
                           os.environ["HOME"], os.environ["USER"]])
    if query.get("what") == "cpus":
        return json.dumps([len(os.sched_getaffinity(0)), os.environ.get("OMP_NUM_THREADS"),
                           open("/proc/self/cgroup").read()])
    if query.get("what") == "environment":
        return json.dumps([dict(os.environ), open("/proc/self/environ").read()])
    descriptors = {}
    for fd in os.listdir("/proc/self/fd"):
        try:
            descriptors[fd] = os.readlink(f"/proc/self/fd/{fd}")
        except FileNotFoundError:
            continue
    child = subprocess.run(["sh", "-c", "ls /proc/self/fd"], close_fds=False, text=True,
                           stdout=subprocess.PIPE)
    return json.dumps([descriptors, child.stdout.split()])

def load_model(code_dir):
    return 1
"""
METADATA = "name: m\ntype: inference\ntargetType: {}\n"
CSV = "a\n1\n2\n"
GOOD = {"predictions": [1.0, 2.0]}


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}", "Content-Type": "text/csv"}


@pytest.fixture(params=[1, 2])
def keyed(request: pytest.FixtureRequest, serve: Serve, model: Model, tmp_path: Path) -> Served:
    """Two models; a key for all, one for ``first``, one that administers; one front, and two."""
    first = model(ECHO, "first", METADATA.format("regression"))
    second = model(ECHO, "second", METADATA.format("regression"))
    config = tmp_path / "polyhost.yaml"
    config.write_text(
        f"""
        fronts: {request.param}
        admin: {{enabled: true, roots: [{tmp_path}]}}
        store: {{path: {tmp_path / "store"}}}
        models: {{first: {first}, second: {second}}}
        keys:
          - {{name: everything, sha256: {sha256("all-the-models")}}}
          - {{name: one, variable: ONE_KEY, models: [first]}}
          - {{name: boss, sha256: {sha256("admin-of-all")}, role: admin}}
        """
    )
    return serve(config, env={"ONE_KEY": "only-the-first"})


def test_keys_open_what_they_are_for(keyed: Served) -> None:
    def ask(model: str, headers: dict[str, str]) -> int:
        path = f"/models/{model}/predict/"
        sent = {"Content-Type": "text/csv", **headers}
        short = keyed.client.post(path, content=CSV, headers=sent).status_code
        long = keyed.client.post(f"{path}?long", content=CSV, headers=sent).status_code
        assert short == long
        return short

    assert [ask("first", {}), ask("first", bearer("wrong")), ask("none", {})] == [401] * 3
    assert [ask(m, bearer("all-the-models")) for m in ("first", "second")] == [200, 200]
    assert [ask(m, bearer("only-the-first")) for m in ("first", "second")] == [200, 403]
    assert ask("none", bearer("all-the-models")) == 404
    assert ask("first", {"X-Api-Key": "all-the-models"}) == 200
    basic = base64.b64encode(b"anybody:all-the-models").decode()
    assert ask("first", {"Authorization": f"Basic {basic}"}) == 200
    assert ask("first", {"Authorization": "Basic no-base64"}) == 401
    assert ask("first", {"Authorization": sha256("all-the-models")}) == 401


def test_a_refusal_says_what_to_show(keyed: Served) -> None:
    reply = keyed.post("/models/first/predict/", CSV)
    assert reply.headers["www-authenticate"] == "Bearer"
    assert reply.headers["connection"] == "close"
    assert "show one as `Authorization: Bearer KEY`" in reply.json()["message"]
    reply = keyed.client.post(
        "/models/second/predict/", content=CSV, headers=bearer("only-the-first")
    )
    assert "key 'one' does not open model 'second'" in reply.json()["message"]


def test_only_probes_are_open_and_tell_no_details(keyed: Served) -> None:
    assert keyed.client.get("/health/").json() == {"message": "OK"}
    assert keyed.client.get("/").status_code == 200
    shown = keyed.client.get("/health/", headers=bearer("all-the-models"))
    assert set(shown.json()["models"]) == {"first", "second"}
    for path in ("/metrics", "/openapi.json", "/docs", "/models/first/health/", "/nothing"):
        assert keyed.client.get(path).status_code == 401, path
    for key, status in (("all-the-models", 200), ("only-the-first", 403)):
        assert keyed.client.get("/metrics", headers=bearer(key)).status_code == status


def test_the_admin_api_needs_its_role(keyed: Served) -> None:
    for key, status in (("all-the-models", 403), ("only-the-first", 403), ("admin-of-all", 200)):
        assert keyed.client.get("/admin/models", headers=bearer(key)).status_code == status
    assert keyed.client.get("/admin/models").status_code == 401
    reply = keyed.client.post("/models/first/predict/", content=CSV, headers=bearer("admin-of-all"))
    assert reply.json() == GOOD


def until(done: Callable[[], bool]) -> None:
    """Wait for what the server notices by itself."""
    limit = time.monotonic() + 30
    while not done():
        assert time.monotonic() < limit
        time.sleep(0.05)


def replaced(config: Path, keys: str) -> None:
    """The configuration with other keys, in one step as an editor does it."""
    new = config.with_suffix(".new")
    new.write_text(config.read_text().partition("keys:")[0] + f"keys: {keys}\n")
    new.replace(config)


def test_a_revoked_key_opens_nothing_any_more(keyed: Served, tmp_path: Path) -> None:
    def ask(key: str, client: httpx.Client = keyed.client) -> int:
        path = "/models/second/predict/"
        return client.post(path, content=CSV, headers=bearer(key)).status_code

    config = tmp_path / "polyhost.yaml"
    with httpx.Client(base_url=keyed.client.base_url, trust_env=False) as connected:
        assert [ask("all-the-models", connected), ask("new-for-all")] == [200, 401]
        replaced(config, f"[{{name: new, sha256: {sha256('new-for-all')}}}]")
        until(lambda: ask("new-for-all") == 200 and ask("all-the-models") == 401)
        for key, status in (("all-the-models", 401), ("admin-of-all", 401), ("new-for-all", 200)):
            # A front may hear of it a moment after the other has answered.
            until(lambda key=key, status=status: ask(key, connected) == status)
    replaced(config, "[]")
    keyed.process.send_signal(signal.SIGHUP)
    until(lambda: "no key is left" in keyed.err)
    until(lambda: ask("new-for-all") == 401)
    assert [ask("new-for-all") for _ in range(4)] == [401] * 4
    assert keyed.client.get("/health/").status_code == 200


def test_keys_for_a_server_without_any_need_a_start(
    serve: Serve, model: Model, tmp_path: Path
) -> None:
    config = tmp_path / "polyhost.yaml"
    config.write_text(f"models: {{m: {model(ECHO, metadata=METADATA.format('regression'))}}}\n")
    served = serve(config)
    replaced(config, f"[{{name: new, sha256: {sha256('new-for-all')}}}]")
    until(lambda: "this server was started without any" in served.err)
    assert served.post("/predict/", CSV).json() == GOOD


def test_browsers_may_not_use_an_admin_api_without_a_key(
    serve: Serve, model: Model, tmp_path: Path
) -> None:
    config = tmp_path / "polyhost.yaml"
    folder = model(ECHO, metadata=METADATA.format("regression"))
    config.write_text(f"admin: {{enabled: true, roots: [{tmp_path}]}}\nmodels: {{m: {folder}}}\n")
    served = serve(config)
    assert served.client.get("/admin/models").status_code == 200
    page = served.client.get("/admin/models", headers={"Origin": "http://evil.example"})
    assert page.status_code == 403


@pytest.mark.parametrize("name", ["..", ".hidden", "a%2Fb", "%2e%2e%2f%2e%2e%2fetc", "a%00b"])
def test_names_do_not_lead_elsewhere(serve: Serve, model: Model, tmp_path: Path, name: str) -> None:
    config = tmp_path / "polyhost.yaml"
    folder = model(ECHO, metadata=METADATA.format("regression"))
    config.write_text(
        f"admin: {{enabled: true, roots: [{tmp_path}]}}\nmodels: {{m: {folder}}}\n"
        f"store: {{path: {tmp_path / 'store'}}}\n"
    )
    served = serve(config)
    link = tmp_path / "link"
    link.symlink_to("/etc")
    body = json.dumps({"source": str(folder)}).encode()
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=60)
    connection.request("PUT", f"/admin/models/{name}", body)
    assert connection.getresponse().status in (400, 404)
    connection.close()
    for source in ("/etc", str(link), f"{tmp_path}/../../../../../etc"):
        reply = served.client.put("/admin/models/new", json={"source": source})
        assert reply.status_code == 400
        assert "may not be loaded" in reply.json()["error"]


def test_an_open_admin_api_is_refused_at_the_start(
    polyhost: Command, model: Model, tmp_path: Path
) -> None:
    config = tmp_path / "polyhost.yaml"
    folder = model(ECHO, metadata=METADATA.format("regression"))
    config.write_text(f"host: 0.0.0.0\nadmin: true\nmodels: {{m: {folder}}}\n")
    done = polyhost("serve", config)
    assert done.code == 1
    assert "expected a key of the role 'admin'; found none" in done.err


def test_an_open_server_is_warned_of(serve: Serve, model: Model) -> None:
    served = serve(model(ECHO), "--target-type", "regression", "--host", "0.0.0.0")
    assert "listening at 0.0.0.0 with no API key" in served.err
    served = serve(model(ECHO, "other"), "--target-type", "regression")
    assert "no API key" not in served.err


def test_a_new_key_opens_the_server(
    serve: Serve, model: Model, polyhost: Command, tmp_path: Path
) -> None:
    done = polyhost("key", "new", "--name", "ann", "--model", "m")
    key = done.out.strip()
    assert key.startswith("ph_")
    assert len(key) > 40
    assert key not in done.err
    folder = model(ECHO, metadata=METADATA.format("regression"))
    config = tmp_path / "polyhost.yaml"
    config.write_text(f"models: {{m: {folder}}}\n{done.err}")
    served = serve(config)
    assert served.client.post("/predict/", content=CSV, headers=bearer(key)).json() == GOOD
    assert served.post("/predict/", CSV).status_code == 401
    file = tmp_path / "key"
    file.write_text(key)
    url = f"http://127.0.0.1:{served.port}"
    top = polyhost("top", "--url", url, "--once", "--interval", "0.1", "--key-file", file)
    assert top.code == 1
    assert "Forbidden" in top.err  # the key opens one model, and metrics tell of all


def test_keys_reach_no_hook(serve: Serve, model: Model, tmp_path: Path) -> None:
    folder = model(TELLS, metadata=METADATA.format("unstructured"))
    config = tmp_path / "polyhost.yaml"
    entry = f"{{name: k, sha256: {sha256('a-secret-key')}}}"
    config.write_text(f"models: {{m: {folder}}}\nkeys: [{entry}]\n")
    served = serve(config)
    headers = {"X-Api-Key": "a-secret-key", "X-Mine": "seen"}
    reply = served.client.post("/predictUnstructured/?what=headers", content="x", headers=headers)
    assert reply.status_code == 200, reply.text
    assert "a-secret-key" not in reply.text
    assert reply.json()["X-Mine"] == "seen"


@pytest.mark.parametrize("fronts", [1, 2])
def test_a_damaged_desired_state_keeps_the_server_from_starting(
    polyhost: Command, tmp_path: Path, fronts: int
) -> None:
    config, state = tmp_path / "polyhost.yaml", tmp_path / "desired.json"
    config.write_text(f"fronts: {fronts}\nadmin: true\nstore: {{desired: {state}}}\n")
    state.write_text('{"kind": "polyhost desired state", "format": 1, "mod')
    done = polyhost("serve", config)
    assert (done.code, done.out) == (1, "")
    assert f"cannot read desired state {state}: it is damaged or cut short" in done.err
    assert "Traceback" not in done.err
    assert state.read_text().endswith('"mod')


def test_a_key_taken_out_is_gone_though_the_rest_is_wrong(keyed: Served, tmp_path: Path) -> None:
    """Over real sockets, with one front and two; what was served goes on."""

    def ask(key: str) -> int:
        path = "/models/first/predict/"
        return keyed.client.post(path, content=CSV, headers=bearer(key)).status_code

    config = tmp_path / "polyhost.yaml"
    assert [ask("all-the-models"), ask("only-the-first")] == [200, 200]
    text = config.read_text().replace("sha256: " + sha256("all-the-models"), "sha256: " + "0" * 64)
    new = config.with_suffix(".new")
    new.write_text(f"{text}\n        nonsense: 1\n")
    new.replace(config)
    for _ in range(4):  # each front, whichever answers
        until(lambda: ask("all-the-models") == 401)
    assert [ask("only-the-first"), ask("admin-of-all")] == [200, 200]
    assert "unknown key 'nonsense'" in keyed.err


# Encryption


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """A certificate for this machine, and its key."""
    return new_certificate(tmp_path)


def new_certificate(folder: Path) -> tuple[Path, Path]:
    pem, key = folder / "certificate.pem", folder / "key.pem"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2"
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]
    files = ["-keyout", str(key), "-out", str(pem)]
    subprocess.run([*command.split(), *names, *files], check=True, capture_output=True)
    key.chmod(0o600)
    return pem, key


def test_tls(serve: Serve, model: Model, tmp_path: Path, certificate: tuple[Path, Path]) -> None:
    pem, key = certificate
    folder = model(ECHO, metadata=METADATA.format("regression"))
    config = tmp_path / "polyhost.yaml"
    config.write_text(f"models: {{m: {folder}}}\ntls: {{certificate: {pem}, key: {key}}}\n")
    served = serve(config, wait=False)
    url = f"https://127.0.0.1:{served.port}"
    transport = httpx.HTTPTransport(verify=ssl.create_default_context(cafile=pem), retries=10)
    with httpx.Client(base_url=url, transport=transport, timeout=30) as client:
        served.client.close()
        served.client = client
        served.wait_answering()
        assert served.post("/predict/", CSV).json() == GOOD
        large = "a\n" + "1\n" * (2 << 20)
        assert len(served.post("/predict/", large).json()["predictions"]) == 2 << 20
    with pytest.raises(httpx.ConnectError), httpx.Client(trust_env=False) as stranger:
        stranger.get(url)  # does not know who signed it


@pytest.mark.parametrize("fronts", [1, 2])
def test_a_renewed_certificate_is_shown(
    serve: Serve, model: Model, tmp_path: Path, certificate: tuple[Path, Path], fronts: int
) -> None:
    pem, key = certificate
    first = pem.read_text()
    config = tmp_path / "polyhost.yaml"
    folder = model(ECHO, metadata=METADATA.format("regression"))
    tls = f"tls: {{certificate: {pem}, key: {key}}}\nfronts: {fronts}\n"
    config.write_text(f"models: {{m: {folder}}}\n{tls}")
    served = serve(config, wait=False)

    def shown() -> str:
        try:
            return ssl.get_server_certificate(("127.0.0.1", served.port))
        except ConnectionError:
            return ""

    until(lambda: shown() == first)
    (tmp_path / "renewed").mkdir()
    new_pem, new_key = new_certificate(tmp_path / "renewed")
    second = new_pem.read_text()
    new_pem.replace(pem)
    until(lambda: "TLS cannot be set up" in served.err)  # the old key does not go with it
    assert shown() == first
    new_key.replace(key)
    until(lambda: {shown() for _ in range(8)} == {second})


def test_a_key_of_another_certificate_is_told_at_the_start(
    polyhost: Command, model: Model, tmp_path: Path, certificate: tuple[Path, Path]
) -> None:
    pem, _ = certificate
    folder = model(ECHO, metadata=METADATA.format("regression"))
    config = tmp_path / "polyhost.yaml"
    config.write_text(f"models: {{m: {folder}}}\ntls: {{certificate: {pem}, key: {pem}}}\n")
    done = polyhost("serve", config)
    assert done.code == 1
    assert "TLS cannot be set up: expected" in done.err


# Pinned files


def test_a_changed_file_is_not_loaded(serve: Serve, model: Model, tmp_path: Path) -> None:
    folder = model(ECHO, metadata=METADATA.format("regression"))
    custom = folder / "custom.py"
    pinned = hashlib.sha256(custom.read_bytes()).hexdigest()
    config = tmp_path / "polyhost.yaml"
    config.write_text(f"models:\n  m:\n    path: {folder}\n    digests: {{custom.py: {pinned}}}\n")
    served = serve(config)
    assert served.post("/predict/", CSV).json() == GOOD
    served.stop()
    custom.write_text(ECHO + "# changed")
    served = serve(config, wait=False)
    served.wait_answering(status=503)
    reason = ""
    for _ in range(200):
        reason = served.client.get("/health/").json()["message"]
        if "pinned" in reason:
            break
        time.sleep(0.1)
    found = hashlib.sha256(custom.read_bytes()).hexdigest()
    assert f"custom.py in {folder} is not the file that was pinned" in reason
    assert f"expected SHA-256 {pinned}; found {found}" in reason


# What workers get


def _descriptors(pid: int) -> set[str]:
    return {os.readlink(place) for place in Path(f"/proc/{pid}/fd").iterdir()}


@pytest.mark.parametrize("python", ["", sys.executable])
def test_workers_inherit_nothing(serve: Serve, model: Model, python: str) -> None:
    folder = model(TELLS, metadata=METADATA.format("unstructured"))
    arguments = ["--python", python] if python else []
    secrets = {"AWS_SECRET_ACCESS_KEY": "MARK-secret", "LC_TIME": "C", "DATABASE_URL": "MARK-url"}
    served = serve(folder, *arguments, env=secrets)
    descriptors, of_child = served.post("/predictUnstructured/", "x").json()
    ours = _descriptors(served.process.pid)
    for parent in psutil.Process(served.process.pid).children():
        if os.getpgid(parent.pid) == os.getpgid(served.process.pid):  # a warm parent
            ours |= _descriptors(parent.pid)
    streams = {descriptors["1"], descriptors["2"]}
    assert set(descriptors.values()) & ours - {os.devnull} == streams
    sockets = [place for place in descriptors.values() if place.startswith("socket")]
    assert len(sockets) == 2, "data and control"
    assert set(of_child) <= {"0", "1", "2", "3"}
    environment, at_birth = served.post("/predictUnstructured/?what=environment", "x").json()
    assert "MARK" not in json.dumps(environment)
    assert "MARK" not in at_birth
    assert environment["LC_TIME"] == "C"


def _nobody_can_read(path: str) -> bool:
    done = subprocess.run(
        ["test", "-r", path], user="nobody", group="nogroup", extra_groups=[], check=False
    )
    return done.returncode != 0


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user can reach; pytest's own are root's alone."""
    folder = Path("/var/tmp") / f"polyhost-test-{os.getpid()}"
    folder.mkdir(mode=0o755)
    (folder / "tmp").mkdir(mode=0o755)
    (folder / "model").mkdir(mode=0o755)
    yield folder
    shutil.rmtree(folder)


as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may become another user")


@as_root
@pytest.mark.parametrize("forked", [True, False])
def test_workers_run_under_another_user(serve: Serve, open_folder: Path, forked: bool) -> None:
    python = sys.executable if forked else "/usr/bin/python3"
    if _nobody_can_read(os.path.realpath(python)):
        pytest.skip(f"{python} is closed to other users")
    probe = subprocess.run([python, "-c", "import numpy"], capture_output=True, check=False)
    if probe.returncode:
        pytest.skip(f"{python} has no numpy")
    folder = open_folder / "model"
    (folder / "custom.py").write_text(TELLS)
    (folder / "model-metadata.yaml").write_text(METADATA.format("unstructured"))
    arguments = [] if forked else ["--python", python]
    env = {"TMPDIR": str(open_folder / "tmp")}
    served = serve(folder, *arguments, "--worker-user", "nobody", env=env)
    nobody = pwd.getpwnam("nobody")
    reply = served.post("/predictUnstructured/?what=user", "x")
    assert reply.status_code == 200, reply.text
    ids, groups, no_new, owner, home, name = reply.json()
    assert ids == [nobody.pw_uid] * 3
    assert set(groups) == set(os.getgrouplist("nobody", nobody.pw_gid))
    assert (no_new, owner, home, name) == ("1", nobody.pw_uid, nobody.pw_dir, "nobody")
    workers = [c for c in psutil.Process(served.process.pid).children() if c.uids().real != 0]
    assert [w.uids().effective for w in workers] == [nobody.pw_uid]
    served.process.kill()  # the death signal was set after the user
    psutil.wait_procs(workers, timeout=5)
    assert not any(w.is_running() and w.status() != psutil.STATUS_ZOMBIE for w in workers)


@as_root
def test_root_without_another_user_is_warned_of_once(
    serve: Serve, model: Model, open_folder: Path
) -> None:
    served = serve(model(ECHO), "--target-type", "regression")
    assert served.err.count("running as root, and so do the workers") == 1


@as_root
def test_a_user_that_cannot_read_the_model_is_told(
    polyhost: Command, model: Model, tmp_path: Path
) -> None:
    folder = model(ECHO, metadata=METADATA.format("regression"))
    folder.chmod(0o700)
    done = polyhost("serve", folder, "--worker-user", "nobody")
    assert done.code == 1
    assert "workers are to run as 'nobody', who may not read" in done.err
    done = polyhost("serve", folder, "--worker-user", "no-such-user")
    assert "no account 'no-such-user'" in done.err


def test_processor_time_is_bounded(serve: Serve, model: Model, tmp_path: Path) -> None:
    folder = model(TELLS, metadata=METADATA.format("unstructured"))
    config = tmp_path / "polyhost.yaml"
    config.write_text(f"models:\n  m:\n    path: {folder}\n    limits: {{cpus: 0.5}}\n")
    served = serve(config)
    cores, threads, group = served.post("/predictUnstructured/?what=cpus", "x").json()
    assert threads == "1"
    assert f"/polyhost-{served.process.pid}-" in group or cores == 1


# Logs


def test_no_payload_is_logged(serve: Serve, model: Model) -> None:
    served = serve(
        model(ECHO), "--target-type", "regression", "--logging-level", "debug", "--access-log"
    )
    secret = "MARKER8271"
    bodies = [
        ("text/csv", f"a,word\n1,{secret}\n"),
        ("text/csv", f"{secret}\n1\n"),
        ("text/csv", f"a,word,more\n1,raise,{secret}\n"),
        ("text/csv", f"a\n{secret}\n1,2,3,4\n"),
        ("application/json", f'{{"{secret}": 1}}'),
        ("application/json", f'{{"dataframe_split": {secret}'),
        (
            "application/json",
            f'{{"dataframe_split": {{"columns": ["a"], "data": [["{secret}"]]}}}}',
        ),
        ("application/x-unknown", secret),
        ("multipart/form-data; boundary=x", f"--x\r\n{secret}\r\n"),
    ]
    for kind, body in bodies:
        served.post(f"/predict/?q={secret}", body, kind)
        served.post(f"/nothing/{secret}", body, kind)
    assert served.post("/predict/", CSV).json() == GOOD
    assert secret not in served.err + served.out
    assert "POST /predict/ 200" in served.err + served.out


def test_request_ids_are_sanitised(serve: Serve, model: Model) -> None:
    served = serve(model(ECHO), "--target-type", "regression", "--log-format", "json")
    for sent, kept in (("mine-7", True), ("x" * 200, False), ("\x7f\x1b[31m", False), ("", False)):
        headers = {"X-Request-Id": sent.encode("latin-1"), "Content-Type": "text/csv"}
        connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=60)
        connection.request("POST", "/predict/", CSV, headers)
        reply = connection.getresponse()
        told = reply.getheader("X-Request-Id") or ""
        assert (told == sent) is kept or reply.status == 400
        connection.close()
