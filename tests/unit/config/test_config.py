"""The configuration: every mistake told with its line, every value with its source."""

from __future__ import annotations

import hashlib
import re
import sys
import tarfile
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from polyhost.config import Loaded, load, reference, schema, units
from polyhost.config.show import MASK, as_json, as_lines, field_of
from polyhost.data.target import Target, TargetType
from polyhost.errors import SettingsError
from polyhost.settings import (
    AdminSettings,
    ApiKey,
    Batching,
    HostLimits,
    Limits,
    ServerSettings,
    Setting,
    Source,
    StoreSettings,
    Tls,
)

METADATA = """\
name: m
type: inference
targetType: binary
inferenceModel:
  positiveClassLabel: "yes"
  negativeClassLabel: "no"
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Two code dirs, in the folder that we are in."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "custom.py").touch()
    (tmp_path / "b" / "model-metadata.yaml").write_text(METADATA, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path


def from_text(text: str, environ=None, flags=None, models=()) -> Loaded:
    Path("polyhost.yaml").write_text(text, encoding="utf-8")
    return load(Path("polyhost.yaml"), environ or {}, flags or {}, models)


def mistakes(text: str, environ=None, flags=None) -> list[str]:
    with pytest.raises(SettingsError) as raised:
        from_text(text, environ, flags)
    found = raised.value.facts.get("problems", [raised.value.message])
    assert all(problem in raised.value.message for problem in found)
    return found


# Units


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0),
        ("17", 17),
        ("17B", 17),
        ("1KiB", 1024),
        ("1kb", 1000),
        ("1k", 1024),
        ("512MiB", 512 << 20),
        (" 1.5 GiB ", 3 << 29),
        ("2TB", 2 * 10**12),
        (".5K", 512),
        ("9007199254740993", 2**53 + 1),
    ],
)
def test_sizes(text, size):
    assert units.parse_size(text) == size


@pytest.mark.parametrize(
    "text", ["", "B", "-1", "1 apple", "1e3", "1.", "1,5G", "٣KiB", "1 2", "k"]
)
def test_no_sizes(text):
    with pytest.raises(ValueError, match="is not a size"):
        units.parse_size(text)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30", 30.0),
        ("0.5", 0.5),
        ("30s", 30.0),
        ("250ms", 0.25),
        ("2m", 120.0),
        ("2min", 120.0),
        ("1h30m", 5400.0),
        ("1h 30m", 5400.0),
        ("1d", 86400.0),
    ],
)
def test_durations(text, seconds):
    assert units.parse_seconds(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "s", "-1s", "1 fortnight", "1e3", "inf", "nan", "1h30", "9e9d"]
)
def test_no_durations(text):
    with pytest.raises(ValueError, match="is not a duration"):
        units.parse_seconds(text)


@given(st.integers(0, 2**60))
def test_a_size_that_is_shown_is_read_again(size):
    assert units.parse_size(units.show_size(size)) == size


@given(st.floats(0.001, units.LONGEST) | st.integers(1, int(units.LONGEST)))
def test_a_duration_that_is_shown_is_read_again(seconds):
    assert units.parse_seconds(units.show_seconds(float(seconds))) == float(seconds)


@given(st.text())
def test_any_text_is_a_value_or_a_value_error(text):
    for parse in (units.parse_size, units.parse_seconds):
        try:
            assert parse(text) >= 0
        except ValueError:
            continue


# What a file becomes


def test_an_empty_file_gives_the_defaults(folder):
    loaded = from_text("")
    assert loaded.settings == ServerSettings(strict_rows=True, sources=loaded.settings.sources)
    assert set(loaded.settings.sources.values()) == {Source.DEFAULT}


def test_everything_at_once(folder):
    for name in ("cert.pem", "key.pem"):
        (folder / name).touch()
    digest = hashlib.sha256(b"").hexdigest()
    text = f"""
host: 0.0.0.0
port: "8443"
url_prefix: /x
fronts: 2
grace: 1m
logging_level: info
show_perf: yes
limits: {{max_connections: 100, max_header: 8KiB, body_timeout: none, memory: 4GiB}}
tls:
  certificate: cert.pem
  key: key.pem
admin:
  enabled: true
  roots: [a, b]
store: {{path: store, quota: 1GB, desired: state.json}}
keys:
  - {{name: ci, sha256: {digest}, models: one}}
  - {{name: boss, variable: BOSS_KEY, role: admin}}
defaults:
  replicas: 2
  environment: {{A: "1", B: both}}
  limits: {{deadline: 30s}}
models:
  one:
    path: a
    version: 3
    language: python
    target: regression
    spares: 1
    lazy: true
    devices: ["0", "1"]
    env: {sys.executable}
    environment: {{B: mine, C: "no"}}
    batching: {{mode: on, max_batch: 8, max_rows: 100}}
    digests: {{custom.py: {digest}}}
    limits: {{max_queue: 5, max_rows: 7, max_body: 1MiB, memory: 1GiB, cpus: 0.5}}
  two: b
"""
    loaded = from_text(text, {"BOSS_KEY": "s3cret"})
    one, two = loaded.settings.models
    assert loaded.settings == ServerSettings(
        address_host="0.0.0.0",
        port=8443,
        url_prefix="/x",
        models=(one, two),
        show_perf=True,
        strict_rows=True,
        logging_level="info",
        limits=HostLimits(max_connections=100, max_header=8192, body_timeout=None, memory=4 << 30),
        fronts=2,
        admin=AdminSettings(True, (folder / "a", folder / "b")),
        keys=(
            ApiKey("ci", digest, "predict", ("one",)),
            ApiKey("boss", hashlib.sha256(b"s3cret").hexdigest(), "admin"),
        ),
        tls=Tls(folder / "cert.pem", folder / "key.pem"),
        grace=60.0,
        store=StoreSettings(folder / "store", 10**9),
        desired=folder / "state.json",
        sources=loaded.settings.sources,
    )
    assert one.spec.target == Target(TargetType.REGRESSION)
    assert one.spec.code_dir == folder / "a"
    assert one.limits == Limits(5, 7, 1 << 20, 30.0, 600.0, 1 << 30, 0.5, 1)
    assert one.batching == Batching("on", 8, 100)
    assert one.spec.options["batching"] == "on"
    assert one.environment == {"A": "1", "B": "mine", "C": "no"}
    assert one.digests == {"custom.py": digest}
    assert (one.version, one.workers, one.spares, one.lazy) == ("3", 2, 1, True)
    assert (one.devices, one.swap) == (("0", "1"), "overlap")
    assert one.python == one.env == sys.executable
    assert (two.name, two.workers, two.deadline, two.python) == ("two", 2, 30.0, None)
    assert two.spec.target == Target(TargetType.BINARY, ("yes", "no"))


def test_uv_is_asked_for_and_not_built_here(folder):
    (model,) = from_text("models: {b: {path: b, env: uv}}").settings.models
    assert (model.env, model.python) == ("uv", None)


def test_paths_are_of_the_files_folder(folder, monkeypatch):
    (folder / "conf").mkdir()
    (folder / "conf" / "p.yaml").write_text("models: {b: ../b}", encoding="utf-8")
    loaded = load(Path("conf/p.yaml"), {}, {})
    assert loaded.settings.models[0].spec.code_dir == folder / "b"


def test_an_archive_becomes_a_version_in_the_store(folder):
    with tarfile.open("churn.tar.gz", "w:gz") as archive:
        archive.add("b", "churn")
    loaded = from_text("models: {churn: churn.tar.gz}\nstore: {path: kept, quota: 1MiB}")
    assert loaded.store is not None
    (version,) = loaded.store.versions("churn")
    assert loaded.settings.models[0].spec.code_dir == version.path
    assert version.path.is_relative_to(folder / "kept")
    loaded.store.close()


def test_a_deadline_of_none_is_no_limit(folder):
    (model,) = from_text("models: {b: {path: b, limits: {deadline: none}}}").settings.models
    assert model.deadline is None


# Sources


def test_the_nearest_source_wins(folder):
    text = "port: 1\nmodels:\n  b:\n    path: b\n    replicas: 3\n"
    environ = {"POLYHOST__PORT": "2", "POLYHOST__DEFAULTS__REPLICAS": "4"}
    plain = from_text(text).sources
    assert plain["port"] == Setting(1, Source.FILE, "polyhost.yaml:1")
    assert plain["models.b.replicas"] == Setting(3, Source.FILE, "polyhost.yaml:5")
    assert plain["host"] == Setting("127.0.0.1")
    assert plain["models.b.target.type"] == Setting(
        "binary", Source.METADATA, "model-metadata.yaml"
    )
    outer = from_text(text, environ).sources
    assert outer["port"] == Setting(2, Source.ENVIRONMENT, "POLYHOST__PORT")
    assert outer["models.b.replicas"].value == 3  # what speaks of one model goes first
    bare = from_text("models: {b: b}", environ).sources
    assert bare["models.b.replicas"] == Setting(
        4, Source.ENVIRONMENT, "POLYHOST__DEFAULTS__REPLICAS"
    )
    flags = {"port": 5, "models.replicas": 6, "models.limits.deadline": 7.0}
    loaded = from_text(text, environ, flags)
    assert loaded.sources["port"] == Setting(5, Source.FLAG, "--port")
    assert loaded.sources["models.b.replicas"] == Setting(6, Source.FLAG, "--workers")
    assert loaded.settings.models[0].deadline == 7.0
    assert loaded.settings.source("port") is Source.FLAG


def test_an_older_variable_still_speaks(folder):
    assert from_text("url_prefix: /x", {"URL_PREFIX": "/y"}).settings.url_prefix == "/y"


def test_the_variable_for_the_target_name_speaks_of_a_lone_model(folder):
    text = "models: {a: {path: a, target: textgeneration}}"
    (model,) = from_text(text, {"TARGET_NAME": "answer"}).settings.models
    assert model.spec.target.name == "answer"
    other = "b: {path: a, target: {type: textgeneration, name: mine}}"
    several = from_text(text[:-1] + f", {other}}}", {"TARGET_NAME": "answer"}).settings.models
    assert [model.spec.target.name for model in several] == ["answer", "mine"]


def test_models_of_the_command_line_join_those_of_the_file(folder):
    loaded = from_text("models: {b: b}", models=[("c", str(folder / "b"))])
    assert [model.name for model in loaded.settings.models] == ["b", "c"]
    with pytest.raises(SettingsError, match="two models are called 'b'"):
        from_text("models: {b: b}", models=[("b", str(folder / "b"))])


# Mistakes


def test_every_mistake_is_told_with_its_line(folder):
    text = """\
prot: 8000
port: many
grace: 0s
limits:
  max_header: 3 apples
  deadline: 30s
tls:
  certificate: none.pem
keys:
  - name: ci
  - name: ci
    variable: UNSET
    models: [twoo]
  - sha256: abc
models:
  one:
    path: nowhere
    replcas: 2
    deadline: 3s
    lazy: perhaps
  two:
    path: a
    target: {type: binary, positive_class_label: x}
    swap: replace
    spares: 1
    devices: ["0", "1"]
  one: a
  the third: a
  four:
    environment: [A]
    replicas:
"""
    assert mistakes(text, {"POLYHOST__PROT": "1", "POLYHOST__FRONTS": "x"}) == [
        "POLYHOST__FRONTS: its value: expected a whole number from 1 to 256; found 'x'.",
        "POLYHOST__PROT: unknown setting in the environment: expected POLYHOST__ and the name of "
        "a setting. Did you mean 'POLYHOST__PORT'?",
        "polyhost.yaml:1: unknown key 'prot' in the file: expected one of "
        f"{', '.join(part.name for part in schema.SCHEMA.fields)}. Did you mean 'port'?",
        "polyhost.yaml:2: port: expected a whole number from 0 to 65535; found 'many'.",
        "polyhost.yaml:3: grace: expected a duration above 0, such as 30s or 2m; found '0s'.",
        "polyhost.yaml:5: limits.max_header: expected a size from 1KiB to 16MiB, such as 512MiB; found '3 apples'.",
        "polyhost.yaml:6: unknown key 'deadline' in limits: expected one of max_connections, "
        "max_header, max_query, body_timeout, body_budget, memory.",
        "polyhost.yaml:8: tls.certificate: expected an existing file; "
        f"found nothing at {folder / 'none.pem'}.",
        "polyhost.yaml:10: keys.1: expected one of sha256 and variable; found neither.",
        "polyhost.yaml:11: two keys are called 'ci', the other at polyhost.yaml:10.",
        "polyhost.yaml:12: keys.2: expected a key in the environment variable UNSET; found it "
        "unset or empty.",
        "polyhost.yaml:13: keys.2.models: expected names of models; found 'twoo'. "
        "Did you mean 'two'?",
        "polyhost.yaml:14: keys.3.sha256: expected a SHA-256 in hexadecimal; found 'abc'.",
        "polyhost.yaml:14: keys.3 lacks name: expected text without spaces, of at most 256 characters.",
        "polyhost.yaml:17: models.one.path: expected an existing folder or archive, or an address "
        f"such as s3://bucket/model; found nothing at {folder / 'nowhere'}.",
        "polyhost.yaml:18: unknown key 'replcas' in models.one: expected one of "
        f"{', '.join(part.name for part in schema.MODEL.fields)}. Did you mean 'replicas'?",
        "polyhost.yaml:19: unknown key 'deadline' in models.one: expected one of "
        f"{', '.join(part.name for part in schema.MODEL.fields)}. "
        "It is called limits.deadline here.",
        "polyhost.yaml:20: models.one.lazy: expected true or false; found 'perhaps'.",
        "polyhost.yaml:21: model 'two': Positive/negative class labels are missing. They must be provided with "
        "either one: --positive-class-label/--negative-class-label arguments, environment "
        "variables, model config file. Target type binary needs them; the model config file is "
        "model-metadata.yaml, the key inferenceModel.",
        "polyhost.yaml:23: models.two: positive_class_label and negative_class_label need each "
        "other; found one.",
        "polyhost.yaml:24: models.two: swap is replace, for a model of which no second one fits; "
        "found 1 spares. Set spares to 0, or swap to overlap.",
        "polyhost.yaml:26: models.two: expected devices for each of 1 replicas, or one for all; "
        "found 2.",
        "polyhost.yaml:27: 'one' is in models twice, first in line 16. Keep one.",
        "polyhost.yaml:28: wrong model name 'the third': expected letters, digits, '_', '-' and "
        "'.', up to 128.",
        "polyhost.yaml:29: models.four lacks path: expected an existing folder or archive, or an "
        "address such as s3://bucket/model.",
        "polyhost.yaml:30: models.four.environment: expected names with text each; found a list.",
        "polyhost.yaml:31: models.four.replicas has no value: expected a whole number from 1 to 1000.",
    ]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("port: 1\n  host: x", "polyhost.yaml:2: this is not YAML"),
        ("port: [1", "polyhost.yaml:1: this is not YAML"),
        ("- port", "polyhost.yaml:1: the file: expected settings by name; found a list."),
        ("a: &x 1", "polyhost.yaml:1: YAML's anchor is not allowed here"),
        ("port: !!int 1", "polyhost.yaml:1: YAML's tag is not allowed here"),
        ("port: 1\nport: 2", "polyhost.yaml:2: 'port' is in the file twice, first in line 1."),
        ("port: 1\n---\nport: 2", "polyhost.yaml:2: this is not YAML"),
        ("[x]: 1", "polyhost.yaml:1: a key of the file is not text: expected a name."),
        ("port: {a: 1}", "found keys and values."),
        ("models: [a]", "polyhost.yaml:1: models: expected models by name; found a list."),
        ("keys: x", "polyhost.yaml:1: keys: expected a list of keys; found 'x'."),
        ("tls: x", "polyhost.yaml:1: tls: expected settings by name; found 'x'."),
        ("[" * 5000, "polyhost.yaml:1: the text is nested too deep"),
        ("a: \x00", "polyhost.yaml:1: this is not YAML"),
        ("tls: {key: polyhost.yaml}", "TLS needs both of its files: expected tls.certificate"),
        ("admin: {roots: [a]}", "admin.roots is given, and admin.enabled is false"),
        ("models: {a: polyhost.yaml}", "no code dir at"),
        (
            "models: {b: {path: b, target: regression}}",
            "Target type provided in polyhost.yaml:1 doesn't match",
        ),
        (
            "limits: {body_budget: 1MiB}\nmodels: {b: {path: b, limits: {max_body: 2MiB}}}",
            "polyhost.yaml:2: models.b: limits.max_body is 2MiB, more than all bodies in flight "
            "may be: expected at most 1MiB (limits.body_budget).",
        ),
        (
            "limits: {memory: 1GiB}\nmodels: {b: {path: b, spares: 2, limits: {memory: 512MiB}}}",
            "models.b: 3 workers of 512MiB are more than all may take: expected at most 1GiB",
        ),
        (
            "models: {b: {path: b, target: {class_labels: [x], class_labels_file: b/custom.py}}}",
            "expected one of class_labels and class_labels_file; found both.",
        ),
    ],
)
def test_a_mistake(folder, text, says):
    assert any(says in mistake for mistake in mistakes(text)), mistakes(text)


def test_a_file_that_cannot_be_read(folder):
    Path("latin.yaml").write_bytes(b"host: \xff")
    for name, says in (("none.yaml", "cannot read none.yaml: No such"), ("latin.yaml", "UTF-8")):
        with pytest.raises(SettingsError, match=says):
            load(Path(name), {}, {})


def test_a_flag_of_one_model_with_several(folder):
    flags = {"models.target.type": "binary"}
    found = mistakes("models: {a: {path: a, target: regression}, b: b}", flags=flags)
    assert found[0].startswith("--target-type speaks of one model; found 2 folders.")


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from([name for name, _ in schema.MODEL.leaves()])
            | st.sampled_from([part.name for part in schema.SCHEMA.fields])
            | st.text(max_size=3),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(values)
def test_any_document_is_loaded_or_refused(folder, document):
    try:
        from_text(yaml.safe_dump(document))
    except SettingsError:
        return


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.text())
def test_any_text_is_loaded_or_refused(folder, text):
    try:
        from_text(text.replace("\ud800", ""))
    except (SettingsError, UnicodeEncodeError):
        return


# Shown


def test_secrets_are_not_shown(folder):
    digest = "ab" * 32
    loaded = from_text(
        f"keys: [{{name: ci, sha256: {digest}}}]\n"
        "models: {a.b: {path: b, environment: {API_TOKEN: hush, PLAIN: told}}}"
    )
    shown = "\n".join(as_lines(loaded)) + repr(loaded.settings.keys)
    json = as_json(loaded)
    assert digest not in shown + str(json)
    assert "hush" not in shown + str(json)
    assert f"models.a.b.environment.API_TOKEN = {MASK}" in shown
    assert json["models.a.b.environment.PLAIN"] == {
        "value": "told",
        "source": "configuration file",
        "where": "polyhost.yaml:2",
    }


def test_lines_are_in_the_files_own_words(folder):
    lines = as_lines(from_text("models: {b: {path: b, limits: {memory: 1024MiB}}}"))
    assert any(
        re.fullmatch(r"models\.b\.limits\.memory = 1GiB +polyhost\.yaml:1", x) for x in lines
    )
    assert any(re.fullmatch(r"models\.b\.limits\.deadline = 10m +default", x) for x in lines)


def test_each_setting_is_known_by_its_name(folder):
    loaded = from_text("models: {x.limits: b}\nkeys: [{name: k, sha256: " + "0" * 64 + "}]")
    assert [name for name in loaded.sources if field_of(name) is None] == []


# The reference page


def test_every_message_names_its_models_and_none_comes_twice(folder):
    with pytest.raises(SettingsError, match=r"^model 'a': Target type is missing"):
        load(None, {}, {}, [("a", str(folder / "a"))])
    (folder / "c").mkdir()
    models = [(name, str(folder / name)) for name in "ac"] + [("d", str(folder / "a"))]
    with pytest.raises(SettingsError) as raised:
        load(None, {}, {}, models)
    first, second, third = raised.value.message.splitlines()
    assert first == "2 mistakes in the configuration:"
    assert second.startswith("models 'a', 'd': Target type is missing")
    assert third.startswith("model 'c': ")
    found = mistakes("models:\n  x: {path: a}\n  y: {path: b}\n  z: {path: a}\n")
    assert [one.partition(": Target")[0] for one in found] == [
        "polyhost.yaml:2, polyhost.yaml:4: models 'x', 'z'"
    ]


NUMBERS = ("a whole number", "a size", "a duration", "a number")


def numeric() -> dict[str, schema.Field]:
    leaves = {**dict(schema.SCHEMA.leaves()), **dict(schema.MODEL.leaves("models."))}
    return {name: f for name, f in leaves.items() if f.kind.expected.startswith(NUMBERS)}


@pytest.mark.parametrize("name", sorted(numeric()))
@given(number=st.integers() | st.integers(0).map(lambda n: 10**300 + n) | st.floats())
def test_every_number_has_bounds(name, number):
    """What is taken is no more than a machine can have, and none of them is not a number."""
    try:
        value = numeric()[name].kind.parse(str(number), Path())
    except ValueError:
        return
    assert 0 <= value <= 1 << 60


def test_settings_without_which_nothing_is_served_are_refused():
    for name in ("limits.max_header", "limits.body_budget", "limits.memory", "defaults.replicas"):
        with pytest.raises(ValueError, match=r"^$"):
            numeric()[name].kind.parse("0", Path())
    assert len(numeric()) > 20


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (r'version: "1\0"', "models.a.version: expected text without spaces, of at most 256"),
        (
            r'target: {type: binary, name: "\ud800"}',
            "target.name: expected text; found half of a s",
        ),
        (
            r'target: {class_labels: [a, "b\0"]}',
            "class_labels: expected text; found a NUL character",
        ),
        (r'environment: {A: "x\0"}', "models.a.environment.A: expected text; found a NUL"),
        (
            r'environment: {"A\0": x}',
            "models.a.environment: expected a name without spaces and `=`",
        ),
        ("environment: {A=B: x}", "models.a.environment: expected a name without spaces and `=`"),
        (r'version: "a\x01"', "models.a.version: expected text without spaces"),
        (f"version: {'v' * 257}", "models.a.version: expected text without spaces"),
    ],
)
def test_text_that_no_process_can_hold(text, says):
    found = mistakes(f"models: {{a: {{path: a, {text}}}}}")
    assert any(says in mistake for mistake in found), found


def test_keys_may_name_models_that_the_admin_api_will_bring():
    key = "{name: k, variable: K, role: admin, models: [later]}"
    text = f"models: {{b: {{path: b}}}}\nkeys: [{key}]\n"
    assert "keys.1.models: expected names of models; found 'later'" in mistakes(text)[0]
    loaded = from_text(f"admin: true\n{text}", {"K": "x" * 20})
    assert loaded.settings.keys[0].models == ("later",)
    found = mistakes(f"admin: true\n{text.replace('later', '../x')}", {"K": "x"})
    assert "keys.1.models: expected a model's name" in found[0]


def test_the_page_is_what_the_schema_says():
    page = Path(__file__).parents[3] / "docs" / "configuration.md"
    assert page.read_text(encoding="utf-8") == reference.render(), (
        "docs/configuration.md is stale: python -m polyhost.config.reference > it"
    )


def test_the_pages_example_loads(folder):
    for name in ("prices", "churn"):
        (folder / "models" / name).mkdir(parents=True)
        (folder / "models" / name / "custom.py").touch()
    metadata = METADATA.replace("binary", "regression").partition("inferenceModel")[0]
    (folder / "models" / "prices" / "model-metadata.yaml").write_text(metadata, encoding="utf-8")
    example = re.search(r"```yaml\n(.*?)```", reference.render(), re.DOTALL)
    assert example is not None
    prices, churn = from_text(example[1]).settings.models
    assert (prices.deadline, churn.deadline) == (30.0, 120.0)
    assert churn.spec.target == Target(TargetType.BINARY, ("yes", "no"))
    assert (churn.version, churn.workers, churn.batching.mode) == ("7", 2, "off")


def test_no_two_settings_share_a_flag_or_a_variable():
    flags = [field.flag for _, field in schema.flags()]
    assert len(set(flags)) == len(flags)
    variables = [schema.variable_of(name) for name, _ in schema.SCHEMA.leaves()]
    assert len(set(variables)) == len(variables)
