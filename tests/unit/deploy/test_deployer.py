"""Deployments: what is served after each change is what a restart would serve."""

from __future__ import annotations

import asyncio
import json

import pytest

from polyhost.config import keys_in, load
from polyhost.errors import PolyhostError, SettingsError, StateError
from polyhost.server.auth import digest_of
from polyhost.settings import ApiKey


def run(work):
    return asyncio.run(work())


async def deploy(deployment, name, source, settings=None, replicas=1):
    return await deployment.deploy(name, source, settings or {}, replicas, "")


def test_a_restart_serves_the_same(start, model, configure):
    configure()
    source = model("m")

    async def first():
        deployment, host = await start()
        await deploy(deployment, "x", source, replicas=3)
        await deployment.scale("x", 2)
        return host.served(), host.models["x"].replicas

    async def again():
        _, host = await start()
        return host.served(), host.models["x"].replicas

    assert run(first) == run(again) == ({"x": "# one"}, 2)


def test_a_name_that_both_have_is_the_configurations(start, model, configure, roots, caplog):
    """At each moment the same as after a restart, and it can be unloaded."""
    configure()
    deployed, configured = model("deployed", "# deployed"), model("mine", "# configured")

    async def changes():
        deployment, host = await start()
        await deploy(deployment, "x", deployed)
        seen = [host.served()]
        configure(f"{{x: {configured}}}")
        await deployment.reload()
        seen.append(host.served())
        with pytest.raises(SettingsError, match="belongs to the configuration"):
            await deploy(deployment, "x", deployed)
        return seen

    async def now():
        return (await start())[1].served()

    assert run(changes) == [{"x": "# deployed"}, {"x": "# configured"}]
    assert "model x is in the configuration and was deployed over the admin API" in caplog.text
    assert run(now) == {"x": "# configured"}
    configure()
    assert run(now) == {"x": "# deployed"}
    configure(f"{{x: {configured}}}")

    async def left():
        deployment, host = await start()
        configure()
        await deployment.reload()
        return host.served()

    assert run(left) == {"x": "# deployed"}
    configure(f"{{x: {configured}}}")

    async def unloaded():
        deployment, host = await start()
        seen = [await deployment.remove("x"), host.served()]
        with pytest.raises(SettingsError, match="belongs to the configuration"):
            await deployment.remove("x")
        configure()
        await deployment.reload()
        return [*seen, host.served()]

    assert run(unloaded) == ["ready", {"x": "# configured"}, {}]
    assert run(now) == {}


def test_a_damaged_desired_state_is_no_silent_start(start, model, configure, tmp_path):
    configure()
    (tmp_path / "desired.json").write_text('{"kind": ')
    with pytest.raises(StateError) as raised:
        run(start)
    assert raised.value.message.startswith(
        f"cannot read desired state {tmp_path / 'desired.json'}: it is damaged or cut short"
    )
    assert "Fix the file, or move it away" in raised.value.message


def test_a_state_that_cannot_be_written_leaves_what_was(start, model, configure, tmp_path):
    configure()
    state = tmp_path / "desired.json"

    async def work():
        deployment, host = await start()
        await deploy(deployment, "old", model("old"))
        good = state.read_bytes()
        state.write_text("{")  # another program's hand
        for change in (
            lambda: deploy(deployment, "new", model("new")),
            lambda: deploy(deployment, "old", model("old", "# two")),
            lambda: deployment.scale("old", 3),
            lambda: deployment.remove("old"),
        ):
            with pytest.raises(StateError, match="damaged"):
                await change()
            assert host.served() == {"old": "# one"}
            assert host.models["old"].replicas == 1
        state.write_bytes(good)
        await deploy(deployment, "new", model("new"))
        return host.served()

    assert run(work) == {"old": "# one", "new": "# one"}


def test_a_disk_that_fills_while_it_loads(start, model, configure, monkeypatch):
    """The state was writable before, and is not after: the version before is served again."""
    configure()

    async def work():
        deployment, host = await start()
        await deploy(deployment, "old", model("old"))
        loads = host.deploy

        async def fills(hosted):
            done = await loads(hosted)
            if not failures:
                failures.append(1)
                monkeypatch.setattr("polyhost.deploy.desired_state.write_whole", full)
            return done

        def full(*_, **__):
            raise OSError(28, "No space left on device")

        for name, version in (("old", "# two"), ("new", "# one")):
            failures: list[int] = []
            monkeypatch.setattr(host, "deploy", fills)
            with pytest.raises(StateError, match="No space left"):
                await deploy(deployment, name, model(name, version))
            monkeypatch.undo()
            assert host.served() == {"old": "# one"}
        return True

    assert run(work)


def test_what_is_deployed_while_others_still_load_is_not_lost(start, model, configure, tmp_path):
    configure()

    async def first():
        deployment, _ = await start()
        await deploy(deployment, "a", model("a"))

    run(first)

    async def second():
        from support.fake_host import FakeHost

        from polyhost.deploy.deployer import Deployer

        loaded = load(tmp_path / "polyhost.yaml", {}, {})
        host = FakeHost()
        deployment = Deployer(host, loaded.settings, None, loaded)  # type: ignore[arg-type]
        await deploy(deployment, "b", model("b"))  # before anything is brought back
        await deployment.reconcile()
        deployment.close()
        return sorted(host.models)

    assert run(second) == ["a", "b"]
    names = [one["name"] for one in json.loads((tmp_path / "desired.json").read_text())["models"]]
    assert names == ["a", "b"]


def test_one_that_cannot_be_brought_back_is_shown_and_can_be_removed(
    start, model, configure, tmp_path, roots
):
    configure()

    async def first():
        deployment, _ = await start()
        await deploy(deployment, "a", model("a"))
        await deploy(deployment, "b", model("b"))

    run(first)
    state = tmp_path / "desired.json"
    state.write_text(state.read_text().replace('"settings": {}', '"settings": {"env": "/x"}', 1))

    async def second():
        deployment, host = await start()
        assert list(host.models) == ["b"]
        assert "env: expected uv" in deployment.failed["a"]
        await deployment.remove("a")
        with pytest.raises(KeyError):
            await deployment.remove("a")
        return dict(deployment.failed), (await start())[0].failed

    assert run(second) == ({}, {})


# What the admin API may set


@pytest.fixture
def attempt(start, model, configure):
    """The message of a deployment with settings that are refused."""

    def refuse(settings, replicas=1, admin="", source=""):
        configure(admin=admin)

        async def work():
            deployment, host = await start()
            with pytest.raises(PolyhostError) as raised:
                await deploy(deployment, "x", source or model("m"), settings, replicas)
            assert host.models == {}
            assert isinstance(raised.value, SettingsError)
            return raised.value.message

        return run(work)

    return refuse


@pytest.mark.parametrize("there", [True, False])
@pytest.mark.parametrize("way", ["plain", "up", "link", "home"])
@pytest.mark.parametrize("name", ["env", "target.class_labels_file", "source"])
def test_no_file_outside_the_roots(attempt, roots, tmp_path, monkeypatch, name, way, there):
    """Whether it is there or not, the answer is the same."""
    outside = tmp_path / "outside"
    outside.mkdir()
    file = outside / "evil.sh"
    if there:
        file.write_text("#!/bin/sh\n")
        file.chmod(0o755)
    (roots / "link").symlink_to(outside)
    monkeypatch.setenv("HOME", str(outside))
    text = {
        "plain": str(file),
        "up": f"{roots}/../outside/evil.sh",
        "link": f"{roots}/link/evil.sh",
        "home": "~/evil.sh",
    }[way]
    if name == "source":
        assert f"models may not be loaded from {text!r}" in attempt({}, source=text)
    else:
        message = attempt({name: text})
        assert f"{name}: expected " in message
        assert f"found a place that is not below {roots}" in message


def test_interpreters_on_the_path_are_outside_too(attempt):
    assert "not below" in attempt({"env": "python3"})
    assert "not below" in attempt({"env": "no-such-program"})


def test_files_of_the_model_and_below_the_roots(start, model, configure, roots):
    configure()
    (roots / "labels").write_text("a\nb\nc\n")
    source = model("m", metadata="targetType: multiclass\n")
    (roots / "m" / "own").write_text("x\ny\nz\n")
    (roots / "venv").mkdir()
    (roots / "venv" / "python").symlink_to("/usr/bin/env")  # as in a virtual environment

    async def work():
        deployment, host = await start()
        found = []
        for name in (str(roots / "labels"), "own"):
            await deploy(deployment, "x", source, {"target": {"class_labels_file": name}})
            found.append(host.models["x"].config.spec.target.labels)
        await deploy(
            deployment,
            "x",
            source,
            {"env": f"{roots}/venv/python", "target": {"class_labels": ["a", "😀", "c"]}},
        )
        hosted = host.models["x"].config
        return [*found, hosted.spec.target.labels, hosted.python]

    assert run(work) == [
        ("a", "b", "c"),
        ("x", "y", "z"),
        ("a", "😀", "c"),
        f"{roots}/venv/python",
    ]


@pytest.mark.parametrize("name", ["/etc/passwd", "../../../../../../etc/passwd", "/nowhere/at/all"])
def test_metadata_reads_no_file_outside_the_model(attempt, model, name):
    metadata = f"targetType: multiclass\ninferenceModel: {{classLabelsFile: {name}}}\n"
    message = attempt({}, source=model("m", metadata=metadata))
    assert f"classLabelsFile {name!r} leads out of the model's folder" in message


def test_environment_needs_the_operators_leave(attempt, start, model, configure):
    for name in ("PYTHONPATH", "LD_PRELOAD", "MODEL_X"):
        message = attempt({f"environment.{name}": "x"})
        assert f"environment: {name!r} may not be set over the admin API; allowed: none" in message
    message = attempt({"environment": {"MODELS": "x"}}, admin=", environment: [MODEL_*, DEPTH]")
    assert "allowed: MODEL_*, DEPTH" in message
    configure(admin=", environment: [MODEL_*, DEPTH]")

    async def work():
        deployment, host = await start()
        settings = {"environment": {"MODEL_A.B": "x\ny", "DEPTH": 1}}
        await deploy(deployment, "x", model("m"), settings)
        return dict(host.models["x"].config.environment)

    assert run(work) == {"MODEL_A.B": "x\ny", "DEPTH": "1"}


@pytest.mark.parametrize(
    ("settings", "replicas", "says"),
    [
        ({}, 100_000, "replicas: expected at most 32 workers of one model"),
        ({"spares": 31}, 2, "replicas: expected at most 32 workers of one model"),
        ({"spares": 100_000}, 1, "spares: expected a whole number from 0 to 1000"),
        ({"limits": {"max_queue": 0}}, 1, "limits.max_queue: expected a whole number from 1"),
        ({"limits": {"deadline": True}}, 1, "limits.deadline: expected a duration"),
        ({"limits": 5}, 1, "unknown setting 'limits'"),
        ({"limits": {"deadline": {}}}, 1, "limits.deadline: expected a duration"),
        ({"limits": {"deadline": 5}, "limits.deadline": 6}, 1, "limits.deadline comes twice"),
        ({"limits": {"dedline": 5}}, 1, "Did you mean 'limits.deadline'?"),
        ({"replicas": 5}, 1, "replicas has its own place beside settings"),
        ({"path": "/etc"}, 1, "path has its own place beside settings"),
        ({"digests": {"a": "x"}}, 1, "digests.a: expected a SHA-256"),
        ({"target": [1]}, 1, "target.type: expected one of"),
        ({"lazy": None}, 1, "lazy has no value"),
    ],
)
def test_settings_out_of_bounds(attempt, settings, replicas, says):
    assert says in attempt(settings, replicas)


def test_scale_is_bounded(start, model, configure):
    configure(admin=", max_replicas: 4")

    async def work():
        deployment, host = await start()
        await deploy(deployment, "x", model("m"), {"spares": 2})
        with pytest.raises(SettingsError, match="expected at most 4 workers"):
            await deployment.scale("x", 3)
        await deployment.scale("x", 2)
        return host.models["x"].replicas

    assert run(work) == 2


def test_values_reach_the_model_as_they_were_given(start, model, configure):
    pinned = "0" * 64
    configure(more="defaults: {limits: {deadline: 7s}}\n")

    async def work():
        deployment, host = await start()
        settings = {"digests": {"data/a.b.bin": pinned}, "limits": {"deadline": None}}
        await deploy(deployment, "x", model("m"), settings)
        await deploy(deployment, "y", model("m"), {"batching": "off"})
        x, y = host.models["x"].config, host.models["y"].config
        return dict(x.digests), x.deadline, y.deadline, y.batching.mode

    assert run(work) == ({"data/a.b.bin": pinned}, None, 7.0, "off")


def test_no_build_with_more_rights_than_a_worker_has(start, model, configure):
    """Building runs code of the model's requirements as the server's own user."""
    source = model("m")
    configure(more="worker_user: nobody\n")

    async def refused():
        deployment, host = await start()
        with pytest.raises(SettingsError, match="workers are to run as 'nobody'"):
            await deploy(deployment, "x", source, {"env": "uv"})
        return host.models

    assert run(refused) == {}
    configure(more="worker_user: nobody\ndefaults: {env: uv}\n")

    async def chosen_by_the_operator():
        deployment, host = await start()
        await deploy(deployment, "x", source)
        return host.models["x"].config.env

    assert run(chosen_by_the_operator) == "uv"


# Keys


def key(name: str, n: int, more: str = "") -> str:
    return f"- {{name: {name}, sha256: '{n:064}'{more}}}\n"


@pytest.mark.parametrize(
    "wrong",
    [
        "nonsense: 1\n",
        "port: many\n",
        "models: {x: /nowhere}\n",
        "tls: {certificate: /nowhere, key: /nowhere}\n",
    ],
)
def test_a_key_that_is_taken_out_is_gone_whatever_else_is_wrong(
    start, model, configure, wrong, caplog
):
    path = configure(more="keys:\n" + key("a", 1) + key("b", 2) + key("c", 3, ", role: admin"))
    renewed = []

    async def work():
        deployment, _ = await start(renewed.append)
        entries = key("b", 2, ", modles: [x]") + key("c", 3)
        path.write_text(f"{wrong}keys:\n{entries}", encoding="utf-8")
        with pytest.raises(SettingsError):
            await deployment.reload()

    run(work)
    # b's own entry is wrong, so that it stays what it was; c has another role now.
    assert [one.keys for one in renewed] == [
        (ApiKey("b", f"{2:064}"), ApiKey("c", f"{3:064}")),
    ]
    assert "gone: ['a']" in caplog.text


@pytest.mark.parametrize("broken", ["models: [\n", "keys: {\n", "\xff\n", "keys: x\nport: many\n"])
def test_of_a_file_that_is_no_yaml_those_keys_stay_that_still_stand_in_it(start, configure, broken):
    path = configure(more="keys:\n" + key("a", 1) + key("b", 2))
    renewed = []

    async def work():
        deployment, _ = await start(renewed.append)
        path.write_text(f"{broken}keys:\n# {key('a', 1)}{key('b', 2)}", encoding="latin-1")
        with pytest.raises(SettingsError):
            await deployment.reload()

    run(work)
    assert [[one.name for one in each.keys] for each in renewed] == [["b"]]


def test_a_key_in_a_variable_stays_while_a_file_that_is_no_yaml_names_it(tmp_path, monkeypatch):
    monkeypatch.setenv("KEY_C", "secret")
    monkeypatch.setenv("KEY_D", "other")
    known = [ApiKey(name, digest_of(value)) for name, value in (("c", "secret"), ("d", "other"))]
    path = tmp_path / "polyhost.yaml"
    path.write_text("models: [\nkeys:\n- {name: c, variable: KEY_C}\n", encoding="utf-8")
    assert keys_in(path, known) == (known[0],)


def test_keys_stay_while_the_file_cannot_be_read(start, configure):
    path = configure(more="keys:\n" + key("a", 1))
    renewed = []

    async def work():
        deployment, _ = await start(renewed.append)
        path.unlink()
        path.mkdir()
        with pytest.raises(SettingsError):
            await deployment.reload()

    run(work)
    assert renewed == []


def test_an_address_has_to_begin_as_one_that_is_allowed(start, configure):
    configure(admin=", addresses: ['models:/', 's3://bucket/models']")

    async def refused():
        deployment, _ = await start()
        for source in (
            "s3://bucket/models-b/x",
            "s3://bucket/models/../x",
            "runs:/1/m",
            "https://joe:pw@host/x.zip?key=k",
        ):
            with pytest.raises(SettingsError, match="may not be loaded from") as raised:
                await deploy(deployment, "x", source)
            assert "pw" not in raised.value.message

    run(refused)
