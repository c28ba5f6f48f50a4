"""Runtime parameters: values that a model's code asks for by name.

Each is an environment variable ``MLOPS_RUNTIME_PARAM_<NAME>`` that holds a JSON object with exactly
``type`` and ``payload``. The names and the texts of the errors are DRUM's; user code knows them.
"""

from __future__ import annotations

import json
import os
from typing import Any, Callable, Dict, Mapping

PREFIX = "MLOPS_RUNTIME_PARAM_"


class RuntimeParameterException(Exception):
    """Base of what is wrong with a runtime parameter."""


class InvalidJsonException(RuntimeParameterException):
    """A variable that holds no JSON."""


class InvalidRuntimeParam(RuntimeParameterException):
    """A parameter whose type or payload is not what it must be."""


class RuntimeParameters:
    """The runtime parameters of this process."""

    @staticmethod
    def get(key: str) -> Any:
        """The payload of a parameter, None where it is null; ValueError when it is not set."""
        text = os.environ.get(PREFIX + key)
        if text is None:
            raise ValueError(f"Runtime parameter '{key}' does not exist!")
        return decode(key, text)

    @staticmethod
    def has(key: str) -> bool:
        """Whether a parameter is set, be it to null."""
        return PREFIX + key in os.environ


def decode(key: str, text: str) -> Any:
    """The payload in a variable's text."""
    try:
        document = json.loads(text)
    except ValueError as error:
        raise InvalidJsonException(
            f"Invalid runtime parameter json payload. {PREFIX}{key}: {error}."
        ) from error
    if not isinstance(document, dict) or set(document) != {"type", "payload"}:
        raise InvalidRuntimeParam(
            f"Invalid runtime parameter! {key}: expected a JSON object with exactly 'type' and "
            f"'payload'; found {_keys(document)}."
        )
    check(key, document["type"], document["payload"])
    return document["payload"]


def encode(key: str, kind: str, payload: Any) -> str:
    """The text of a parameter's variable; InvalidRuntimeParam when the payload does not fit."""
    check(key, kind, payload)
    return json.dumps({"type": kind, "payload": payload})


def variables(environ: Mapping[str, str]) -> Dict[str, str]:
    """Those of some environment variables that are runtime parameters."""
    return {name: text for name, text in environ.items() if name.startswith(PREFIX)}


def check(key: str, kind: Any, payload: Any) -> None:
    """InvalidRuntimeParam when a payload is not of its type; null is of every type."""
    rule = TYPES.get(kind) if isinstance(kind, str) else None
    if rule is None:
        raise InvalidRuntimeParam(
            f"Invalid runtime parameter! {key}: unknown type {kind!r}; expected one of "
            f"{', '.join(TYPES)}."
        )
    if payload is not None and not rule(payload):
        raise InvalidRuntimeParam(
            f"Invalid runtime parameter! {key}: {_EXPECTED[kind]}; found "
            f"{'a value' if kind == 'credential' else repr(payload)} of type "
            f"{type(payload).__name__}."
        )


def _is_text(payload: Any) -> bool:
    return isinstance(payload, str) and payload != ""


def _is_boolean(payload: Any) -> bool:
    return isinstance(payload, bool)


def _is_number(payload: Any) -> bool:
    if isinstance(payload, bool) or not isinstance(payload, (int, float, str)):
        return False
    try:
        float(payload)
    except ValueError:
        return False
    return True


def _is_credential(payload: Any) -> bool:
    return isinstance(payload, dict) and _is_text(payload.get("credentialType"))


TYPES: Dict[str, Callable[[Any], bool]] = {
    "string": _is_text,
    "boolean": _is_boolean,
    "numeric": _is_number,
    "credential": _is_credential,
    "deployment": _is_text,
}
"""Whether a payload that is not null is of a type."""

_EXPECTED = {
    "string": "expected text that is not empty",
    "boolean": "value should be True or False",
    "numeric": "value can't be converted to float",
    "credential": "expected a mapping with the text 'credentialType', which is required",
    "deployment": "expected the id of a deployment",
}


def _keys(document: Any) -> str:
    if isinstance(document, dict):
        return ", ".join(repr(key) for key in document) or "an empty object"
    return f"a {type(document).__name__}"
