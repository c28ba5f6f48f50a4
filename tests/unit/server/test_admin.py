"""The admin API: every body that is wrong is 400 with the name of its field, and nothing is loaded."""

from __future__ import annotations

import asyncio
import json

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.fake_host import FakeHost

from polyhost.config import load
from polyhost.deploy.deployer import Deployer
from polyhost.server.admin import AdminApi
from polyhost.server.auth import admin_only, gated
from polyhost.server.credentials import Access


class Api:
    """The admin API over a fake host, without a socket."""

    def __init__(self, folder, keys=""):
        (folder / "roots" / "m").mkdir(parents=True)
        (folder / "roots" / "m" / "custom.py").write_text("# m")
        (folder / "roots" / "m" / "model-metadata.yaml").write_text("targetType: regression")
        config = folder / "polyhost.yaml"
        config.write_text(
            f"admin: {{enabled: true, roots: [{folder}/roots]}}\n"
            f"store: {{path: {folder}/store, desired: {folder}/desired.json}}\n{keys}"
        )
        loaded = load(config, {}, {})
        self.host = FakeHost()
        self.host.budget = None
        self.deployment = Deployer(self.host, loaded.settings, None, loaded)
        self.source = str(folder / "roots" / "m")
        admin = AdminApi(self.host, self.deployment, "")
        guarded = admin_only(admin, loaded.settings, admin.path)
        self._app = gated(guarded, Access(loaded.settings).keys, "")

    def __call__(self, method, path, body=None, key=None):
        content = body if isinstance(body, bytes) or body is None else json.dumps(body)
        headers = {"Authorization": f"Bearer {key}"} if key else {}

        async def ask():
            transport = httpx.ASGITransport(self._app)
            async with httpx.AsyncClient(
                transport=transport, base_url="http://localhost"
            ) as client:
                return await client.request(
                    method, f"/admin/{path}", content=content, headers=headers
                )

        return asyncio.run(ask())


@pytest.fixture
def api(tmp_path):
    made = Api(tmp_path)
    yield made
    made.deployment.close()


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"source": "\0"}, "source"),
        ({"source": "\ud800"}, "source"),
        ({"source": "x" * 100_000}, "source"),
        ({"source": ""}, "source"),
        ({"source": 7}, "source"),
        ({"source": ["/etc"]}, "source"),
        ({"version": "1\0"}, "version"),
        ({"version": "\udfff"}, "version"),
        ({"version": "a b"}, "version"),
        ({"version": "a\r\nX: y"}, "version"),
        ({"version": "v" * 129}, "version"),
        ({"version": {"a": 1}}, "version"),
        ({"replicas": 0}, "replicas"),
        ({"replicas": -1}, "replicas"),
        ({"replicas": 100_000}, "replicas"),
        ({"replicas": 10**4000}, "replicas"),
        ({"replicas": 1.5}, "replicas"),
        ({"replicas": True}, "replicas"),
        ({"replicas": "2"}, "replicas"),
        ({"replicas": None}, "replicas"),
        ({"settings": []}, "settings"),
        ({"settings": {"environment": {"A": "\0"}}}, "settings.environment.A"),
        ({"settings": {"environment": {"A\0": "x"}}}, "a name in settings.environment"),
        ({"settings": {"environment": {"A=B": "x"}}}, "environment"),
        ({"settings": {"environment": {"": "x"}}}, "environment"),
        ({"settings": {"target": {"class_labels": ["a", "\ud83d"]}}}, "class_labels.2"),
        ({"settings": {"target": {"name": "\0"}}}, "settings.target.name"),
        ({"settings": {"env": "/" + "x" * 5000}}, "env"),
        ({"settings": {"target": {"class_labels_file": "x" * 5000}}}, "class_labels_file"),
        ({"settings": {"devices": ["\n"]}}, "devices"),
        ({"colour": 1}, "'colour'"),
    ],
)
def test_a_wrong_field_is_named(api, change, field):
    reply = api("PUT", "models/x", {"source": api.source, **change})
    assert reply.status_code == 400, reply.text
    assert field in reply.json()["error"]
    assert len(reply.text) < 2000
    assert api.host.models == {}


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b"\xff",
        b'{"source": NaN}',
        b'{"replicas": Infinity}',
        b"[" * 100_000,
        b'{"settings":' * 500 + b"{}" + b"}" * 500,
        b'{"replicas": ' + b"9" * 10_000 + b"}",
    ],
)
def test_a_body_that_is_not_an_object_of_json(api, body):
    for method, path in (("PUT", "models/x"), ("POST", "models/x/scale")):
        reply = api(method, path, body)
        assert reply.status_code == 400, reply.text


@pytest.mark.parametrize("defect", [KeyError("x"), OSError(5, "broken")])
def test_a_defect_is_an_answer_and_a_line_of_the_log(api, monkeypatch, caplog, defect):
    async def fails(*_):
        raise defect

    monkeypatch.setattr(api.deployment, "deploy", fails)
    reply = api("PUT", "models/x", {"source": api.source})
    assert (reply.status_code, "its log says where" in reply.json()["error"]) == (500, True)
    assert "the admin API failed at PUT /admin/models/x" in caplog.text
    assert api("GET", "models/x").status_code == 404


def test_a_body_that_is_too_large(api):
    reply = api("PUT", "models/x", {"source": "x" * (2 << 20)})
    assert (reply.status_code, reply.json()["kind"]) == (413, "BodyTooLarge")


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["limits", "deadline", "target", "type", "env", "environment", "digests", "lazy"]
            )
            | st.text(max_size=3),
            inner,
            max_size=4,
        )
    ),
    max_leaves=10,
)


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    made = Api(tmp_path_factory.mktemp("api"))
    yield made
    made.deployment.close()


@settings(deadline=None, max_examples=60)
@given(values, values, values)
def test_any_body_is_taken_or_400(shared, given_settings, replicas, version):
    body = {"source": shared.source, "settings": given_settings, "version": version}
    reply = shared("PUT", "models/x", {**body, "replicas": replicas})
    assert reply.status_code in (200, 400), reply.text


def test_a_damaged_state_is_said_and_nothing_is_loaded(api, tmp_path):
    (tmp_path / "desired.json").write_text("{")
    reply = api("PUT", "models/x", {"source": api.source})
    assert (reply.status_code, reply.json()["kind"]) == (507, "StateError")
    assert "cannot read desired state" in reply.json()["error"]
    assert api.host.models == {}


def test_a_key_with_models_loads_those(tmp_path):
    digest = "6ca13d52ca70c883e0f0bb101e425a89e8624de51db2d2392593af6a84118090"  # of abc123
    api = Api(tmp_path, f"keys: [{{name: k, sha256: {digest}, role: admin, models: [mine]}}]\n")
    try:
        body = {"source": api.source}
        assert api("PUT", "models/mine", body, "abc123").status_code == 200
        assert api("PUT", "models/other", body, "abc123").status_code == 403
        assert api("POST", "reload", None, "abc123").status_code == 403
        asyncio.run(api.deployment.deploy("other", api.source, {}, 1, ""))
        assert sorted(api.host.models) == ["mine", "other"]
        listed = api("GET", "models", None, "abc123").json()["models"]
        assert [model["name"] for model in listed] == ["mine"]
        assert api("DELETE", "models/mine", None, "abc123").json()["state"] == "stopped"
        assert api("DELETE", "models/other", None, "abc123").status_code == 403
    finally:
        api.deployment.close()
