from __future__ import annotations

import json

import pytest

from polyhost.code_dir.parameter_file import Definition, export, export_file
from polyhost.code_dir.runtime_parameters import (
    PREFIX,
    InvalidJsonException,
    InvalidRuntimeParam,
    RuntimeParameterException,
    RuntimeParameters,
)
from polyhost.errors import SettingsError

S3 = {"credentialType": "s3", "awsAccessKeyId": "a", "awsSecretAccessKey": "b"}
METADATA = """\
name: model
type: inference
targetType: regression
runtimeParameterDefinitions:
  - fieldName: GREETING
    type: string
    defaultValue: hello
    description: what is said
  - fieldName: LIMIT
    type: numeric
    defaultValue: 5
    minValue: 1
    maxValue: 10
  - fieldName: FAST
    type: boolean
    defaultValue: true
  - fieldName: KEY
    type: credential
    credentialType: s3
  - fieldName: OTHER
    type: deployment
    allowEmpty: false
"""


@pytest.fixture
def set_to(monkeypatch):
    def set_variable(key, value):
        text = value if isinstance(value, str) else json.dumps(value)
        monkeypatch.setenv(PREFIX + key, text)

    return set_variable


@pytest.mark.parametrize(
    ("kind", "payload"),
    [
        ("string", "text"),
        ("boolean", False),
        ("numeric", 123),
        ("numeric", 1.5),
        ("numeric", "12"),
        ("credential", S3),
        ("deployment", "65a"),
        *((kind, None) for kind in ("string", "boolean", "numeric", "credential", "deployment")),
    ],
)
def test_a_payload_comes_back_as_it_was_encoded(set_to, kind, payload):
    set_to("KEY", {"type": kind, "payload": payload})
    found = RuntimeParameters.get("KEY")
    assert found == payload
    assert type(found) is type(payload)
    assert RuntimeParameters.has("KEY")


@pytest.mark.parametrize(
    "document",
    [
        {"type": "string", "payload": ""},
        {"type": "string", "payload": 1},
        {"type": "boolean", "payload": 1},
        {"type": "boolean", "payload": "true"},
        {"type": "numeric", "payload": "twelve"},
        {"type": "numeric", "payload": True},
        {"type": "credential", "payload": {"awsAccessKeyId": "a"}},
        {"type": "credential", "payload": "secret"},
        {"type": "unknown", "payload": "x"},
        {"type": "string", "payload": "x", "more": 1},
        {"type": "string"},
        ["string", "x"],
        3,
    ],
)
def test_what_is_no_parameter(set_to, document):
    set_to("KEY", document)
    with pytest.raises(InvalidRuntimeParam, match=r"^Invalid runtime parameter! KEY: "):
        RuntimeParameters.get("KEY")


def test_no_json(set_to):
    set_to("KEY", "{no")
    with pytest.raises(InvalidJsonException, match=r"^Invalid runtime parameter json payload\."):
        RuntimeParameters.get("KEY")
    assert issubclass(InvalidJsonException, RuntimeParameterException)


def test_absent_and_of_another_case(set_to):
    set_to("KEY", {"type": "string", "payload": None})
    assert not RuntimeParameters.has("key")
    with pytest.raises(ValueError, match="Runtime parameter 'key' does not exist!"):
        RuntimeParameters.get("key")


def test_a_secret_is_not_told(set_to):
    set_to("KEY", {"type": "credential", "payload": {"password": "hush"}})
    with pytest.raises(InvalidRuntimeParam) as raised:
        RuntimeParameters.get("KEY")
    assert "hush" not in str(raised.value)


# The file of a local run


@pytest.fixture
def exported(tmp_path):
    """Payloads by name that a metadata file and a file of values lead to."""

    def export_to(values, metadata=METADATA, environ=None):
        if metadata is not None:
            (tmp_path / "model-metadata.yaml").write_text(metadata)
        (tmp_path / "values.yaml").write_text(values)
        found = {} if environ is None else environ
        export_file(tmp_path, tmp_path / "values.yaml", found)
        return {
            name[len(PREFIX) :]: (json.loads(text)["type"], json.loads(text)["payload"])
            for name, text in found.items()
        }

    return export_to


def test_values_defaults_and_null(exported):
    values = "LIMIT: 7\nUNDEFINED: 1\nKEY:\n  credentialType: s3\n  awsAccessKeyId: a\n"
    assert exported(values, environ={PREFIX + "LIMIT": "overwritten"}) == {
        "GREETING": ("string", "hello"),
        "LIMIT": ("numeric", 7),
        "FAST": ("boolean", True),
        "KEY": ("credential", {"credentialType": "s3", "awsAccessKeyId": "a"}),
        "OTHER": ("deployment", None),
    }


@pytest.mark.parametrize("value", [1, 10, 10.0, "10"])
def test_bounds_are_inclusive(exported, value):
    assert exported(f"LIMIT: {json.dumps(value)}")["LIMIT"] == ("numeric", value)


@pytest.mark.parametrize("value", [0.9, 11, "11"])
def test_out_of_bounds(exported, value):
    with pytest.raises(
        SettingsError, match="'LIMIT' is out of its bounds: expected at least 1 and"
    ):
        exported(f"LIMIT: {json.dumps(value)}")


@pytest.mark.parametrize(
    ("values", "metadata", "message"),
    [
        (
            "FAST: 1",
            METADATA,
            "Failed to load runtime parameter 'FAST'.* value should be True or False; found 1",
        ),
        ("LIMIT: many", METADATA, "LIMIT: value can't be converted to float; found 'many'"),
        ("GREETING: ''", METADATA, "GREETING: expected text that is not empty"),
        ("", METADATA, "must map names to values; found nothing"),
        ("- a", METADATA, "must map names to values; found a list"),
        ("a: [", METADATA, "Invalid runtime parameter values YAML content! cannot read"),
        ("A: 1", None, r"no model-metadata\.yaml"),
        ("A: 1", "name: x\n", "has no runtimeParameterDefinitions"),
        ("A: 1", f"{METADATA}  - fieldName: FAST\n    type: string\n", "FAST more than once"),
        ("A: 1", f"{METADATA}  - type: string\n", "item 6 .* needs the text 'fieldName'"),
        ("A: 1", f"{METADATA}  - fieldName: X\n    type: date\n", "unknown type 'date'"),
        (
            "A: 1",
            f"{METADATA}  - fieldName: X\n    type: string\n    allowEmpty: 3\n",
            "allowEmpty",
        ),
        ("A: 1", f"{METADATA}  - fieldName: X\n    type: numeric\n    minValue: a\n", "minValue"),
    ],
)
def test_what_is_wrong_is_told(exported, values, metadata, message):
    with pytest.raises(SettingsError, match=message):
        exported(values, metadata)


def test_nothing_is_set_when_one_is_wrong():
    environ = {}
    definitions = [Definition("A", "numeric"), Definition("B", "boolean")]
    with pytest.raises(SettingsError):
        export(definitions, {"A": 1, "B": "x"}, environ)
    assert environ == {}
