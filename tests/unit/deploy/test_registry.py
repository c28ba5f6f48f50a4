"""Following a registry: what is served after each look, over a registry that the test holds."""

from __future__ import annotations

import asyncio
import contextlib
import io
import logging
from dataclasses import dataclass, field

import pytest

from polyhost.deploy import registry as registry_module
from polyhost.deploy.annotations import annotate
from polyhost.deploy.registry import RegistryFollower
from polyhost.errors import SettingsError, TrackingUnreachable
from polyhost.settings import RegistrySettings
from polyhost.tracking.backend import ArtifactFile, RegisteredModel, RegisteredVersion


@dataclass
class FakeRegistry:
    """Models by name: tags, aliases, and the text of ``custom.py`` of each version."""

    models_by_name: dict = field(default_factory=dict)
    versions_by_name: dict = field(default_factory=dict)
    texts: dict = field(default_factory=dict)
    away: bool = False
    read: int = 0
    shown: str = "a registry"

    def put(self, name, text="# one", *, tags=(), aliases=None, **facts) -> int:
        """Add a version; its number."""
        known = self.versions_by_name.setdefault(name, [])
        number = len(known) + 1
        known.append(RegisteredVersion(name, number, **facts))
        self.texts[name, number] = text
        before = self.models_by_name.get(name, RegisteredModel(name, dict.fromkeys(tags, "")))
        aliases = {**before.aliases, **(aliases or {})}
        self.models_by_name[name] = RegisteredModel(name, before.tags, aliases)
        return number

    def models(self, tag):
        if self.away:
            raise TrackingUnreachable("cannot reach a registry")
        return [m for m in self.models_by_name.values() if tag is None or tag in m.tags]

    def model(self, name):
        return self.models_by_name[name]

    def tagged_versions(self, tag):
        return [v for found in self.versions_by_name.values() for v in found if tag in v.tags]

    def versions(self, name):
        return list(self.versions_by_name[name])

    def version(self, name, number):
        return self.versions_by_name[name][number - 1]

    def artifacts_of_version(self, name, version):
        return f"mlflow-artifacts:/{name}/{version}"

    def list_artifacts(self, uri):
        return [ArtifactFile("custom.py", False), ArtifactFile("model-metadata.yaml", False)]

    @contextlib.contextmanager
    def open_artifact(self, uri):
        name, version, file = uri.removeprefix("mlflow-artifacts:/").split("/")
        self.read += 1
        text = self.texts[name, int(version)]
        if text is None:
            raise TrackingUnreachable("the connection broke off")
        metadata = "name: m\ntype: inference\ntargetType: " + (
            "regression" if text.startswith("#") else "no-such-type"
        )
        yield io.BytesIO((text if file == "custom.py" else metadata).encode())

    def close(self):
        """Nothing to do."""


@pytest.fixture
def registry(monkeypatch):
    found = FakeRegistry()
    monkeypatch.setattr(registry_module, "open_backend", lambda access: found)
    return found


@pytest.fixture
def follow(start, configure, registry):
    """Runs some steps with a follower, its deployer and its host."""
    configure()

    def run(steps, **settings):
        async def work():
            deployer, host = await start()
            follower = RegistryFollower(RegistrySettings("http://x", **settings), deployer)
            return await steps(follower, deployer, host)

        return asyncio.run(work())

    return run


def versions(host) -> dict[str, str]:
    return {name: model.config.version for name, model in host.models.items()}


def test_what_is_tagged_comes_moves_and_goes(follow, registry):
    async def steps(follower, deployer, host):
        seen = []

        async def look():
            await follower.look()
            seen.append((versions(host), host.served()))

        await look()
        registry.put("a b", "# one", tags=["datagrok"])
        registry.put("other", "# other")
        await look()
        registry.put("a b", "# two")
        registry.put("a b", "# three", status="PENDING_REGISTRATION")
        await look()
        read = registry.read
        await look()
        assert registry.read == read
        registry.models_by_name["a b"] = RegisteredModel("a b")
        await look()
        return seen

    assert follow(steps) == [
        ({}, {}),
        ({"a-b": "1"}, {"a-b": "# one"}),
        ({"a-b": "2"}, {"a-b": "# two"}),
        ({"a-b": "2"}, {"a-b": "# two"}),
        ({}, {}),
    ]


def test_any_has_to_be_asked_for(follow, registry):
    registry.put("m")
    registry.put("tagged", tags=["mine"])

    async def steps(follower, deployer, host):
        await follower.look()
        return sorted(host.models)

    assert follow(steps) == []
    assert follow(steps, tag="mine") == ["tagged"]
    assert follow(steps, tag=None) == ["m", "tagged"]


@pytest.mark.parametrize(
    ("wanted", "expected"), [("latest", "3"), ("@live", "2"), ("production", "1"), ("@no", None)]
)
def test_the_version_that_is_followed(follow, registry, wanted, expected, caplog):
    registry.put("m", tags=["datagrok"], stage="Production")
    registry.put("m", aliases={"live": 2})
    registry.put("m")

    async def steps(follower, deployer, host):
        await follower.look()
        await follower.look()
        return versions(host)

    assert follow(steps, follow=wanted) == ({} if expected is None else {"m": expected})
    said = caplog.text.count("it has no version that is ready for '@no'")
    assert said == (1 if expected is None else 0)


def test_the_tag_of_a_version_is_enough(follow, registry):
    registry.put("m", "# one", tags=[])
    registry.versions_by_name["m"][0] = RegisteredVersion("m", 1, tags={"datagrok": ""})
    registry.put("m", "# two")

    async def steps(follower, deployer, host):
        await follower.look()
        return versions(host)

    assert follow(steps) == {"m": "1"}


def test_while_it_is_away_what_is_served_stays(follow, registry, caplog):
    registry.put("m", tags=["datagrok"])

    async def steps(follower, deployer, host):
        await follower.look()
        registry.away = True
        await follower.look()
        await follower.look()
        seen = [versions(host)]
        registry.away = False
        registry.put("m", "# two")
        await follower.look()
        return [*seen, versions(host)]

    assert follow(steps) == [{"m": "1"}, {"m": "2"}]
    assert caplog.text.count("what is served stays: cannot reach a registry") == 1
    assert caplog.text.count("can be read again") == 1


def test_a_version_that_cannot_be_served_keeps_no_other_away(follow, registry):
    registry.put("bad", "no comment", tags=["datagrok"])
    registry.put("good", tags=["datagrok"])

    async def steps(follower, deployer, host):
        await follower.look()
        reasons = dict(deployer.failed)
        read = registry.read
        await follower.look()
        assert registry.read == read  # not tried again and again
        registry.put("bad", "# right")
        await follower.look()
        return reasons, versions(host), dict(deployer.failed)

    reasons, served, left = follow(steps)
    assert list(reasons) == ["bad"]
    assert "no-such-type" in reasons["bad"]
    assert (served, left) == ({"bad": "2", "good": "1"}, {})


def test_a_broken_download_is_tried_again(follow, registry):
    registry.put("m", None, tags=["datagrok"])

    async def steps(follower, deployer, host):
        await follower.look()
        registry.texts["m", 1] = "# one"
        await follower.look()
        return versions(host), dict(deployer.failed)

    assert follow(steps) == ({"m": "1"}, {})


def test_a_new_version_that_does_not_load_leaves_the_one_before(follow, registry):
    registry.put("m", tags=["datagrok"])

    async def steps(follower, deployer, host):
        await follower.look()
        registry.put("m", "# two")
        host.refuses.add("m")
        await follower.look()
        return versions(host), dict(deployer.failed)

    assert follow(steps) == ({"m": "1"}, {"m": "it does not load"})


def test_names_that_meet_are_told_apart(follow, registry):
    for name in ("a b", "a-b", "a?b"):
        registry.put(name, f"# {name}", tags=["datagrok"])

    async def steps(follower, deployer, host):
        await follower.look()
        return host.served()

    served = follow(steps)
    assert served["a-b"] == "# a-b"
    assert sorted(served.values()) == ["# a b", "# a-b", "# a?b"]
    assert all(name.startswith("a-b") for name in served)


def test_the_configuration_and_the_admin_api_come_first(follow, registry, model, configure, caplog):
    registry.put("mine", tags=["datagrok"])
    registry.put("theirs", tags=["datagrok"])
    configure(f"{{mine: {model('mine', '# configured')}}}")

    async def steps(follower, deployer, host):
        await follower.look()
        with pytest.raises(SettingsError, match="belongs to the registry"):
            await deployer.deploy("theirs", model("x"), {}, 1, "")
        seen = [host.served()]
        configure(f"{{mine: {model('mine', '# configured')}, theirs: {model('theirs', '# new')}}}")
        await deployer.reload()
        await follower.look()
        seen.append(host.served())
        configure()
        await deployer.reload()
        await follower.look()
        return [*seen, host.served()]

    assert follow(steps) == [
        {"mine": "# configured", "theirs": "# one"},
        {"mine": "# configured", "theirs": "# new"},
        {"mine": "# one", "theirs": "# one"},
    ]
    assert "the name 'mine' is taken by a model of the configuration" in caplog.text


def test_models_are_loaded_by_their_first_request_unless_asked_otherwise(follow, registry):
    registry.put("m", tags=["datagrok"])

    async def steps(follower, deployer, host):
        await follower.look()
        return host.models["m"].config.lazy

    assert follow(steps) is True
    assert follow(steps, lazy=False) is False


def test_tags_and_the_signature_name_inputs_and_outputs(caplog):
    signature = {
        "inputs": '[{"type":"string","name":"smiles"},{"type":"double","name":"dose"}]',
        "outputs": '[{"type":"tensor","tensor-spec":{"dtype":"float64","shape":[-1]}}]',
    }
    tags = {
        "datagrok": "",
        "datagrok-inputs-0-semtype": "Molecule",
        "datagrok-inputs-1-name": "Dose, mg",
        "datagrok-inputs-2-name": "none such",
        "datagrok-inputs-x-name": "no number",
        "datagrok-outputs-0-name": "activity",
        "datagrok-outputs-0-colour": "red",
    }
    with caplog.at_level(logging.WARNING):
        said = annotate("m", 3, tags, signature)
    assert said == {
        "registry": {"name": "m", "version": 3},
        "inputs": [
            {"name": "smiles", "type": "string", "semtype": "Molecule"},
            {"name": "Dose, mg", "column": "dose", "type": "double"},
        ],
        "outputs": [{"name": "activity", "type": "float64", "shape": [-1]}],
    }
    for tag in ("datagrok-inputs-2-name", "datagrok-inputs-x-name", "datagrok-outputs-0-colour"):
        assert f"the tag {tag!r} is ignored" in caplog.text


@pytest.mark.parametrize("signature", [None, {}, {"inputs": "no JSON"}])
def test_tags_alone_name_inputs(signature):
    tags = {"datagrok-inputs-1-name": "b", "datagrok-inputs-999999999-name": "far"}
    assert annotate("m", 1, tags, signature)["inputs"] == [{}, {"name": "b"}]


def test_a_start_without_the_registry_serves_what_it_had(follow, registry, caplog):
    registry.put("a b", "# one", tags=["datagrok"])
    registry.put("gone", "# gone", tags=["datagrok"])

    async def first(follower, deployer, host):
        await follower.look()
        del registry.models_by_name["gone"]
        await follower.look()

    async def again(follower, deployer, host):
        await follower.look()
        seen = [(versions(host), host.served())]
        registry.away = False
        read = registry.read
        await follower.look()
        assert registry.read == read  # it is the version that is served already
        registry.put("a b", "# two")
        await follower.look()
        return [*seen, (versions(host), host.served())]

    follow(first)
    registry.away = True
    assert follow(again, tag="another")[0] == ({}, {})
    registry.away = True
    registry.versions_by_name["a b"] = registry.versions_by_name["a b"][:1]
    assert follow(again) == [
        ({"a-b": "1"}, {"a-b": "# one"}),
        ({"a-b": "2"}, {"a-b": "# two"}),
    ]
    assert "served as the registry had them when it was last read: a-b" in caplog.text


def test_a_damaged_memory_is_left_out(follow, registry, tmp_path, caplog):
    registry.away = True
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "registry.json").write_text("{")

    async def steps(follower, deployer, host):
        await follower.look()
        return versions(host)

    assert follow(steps) == {}
    assert "registry.json" in caplog.text
