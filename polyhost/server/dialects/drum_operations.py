"""DRUM's routes as the OpenAPI document describes them."""

from __future__ import annotations

from typing import Any, Dict

from polyhost.codecs.accept import CSV, FILE, LINES, PARQUET, STREAM

_ERRORS = {
    "406": {"description": "the answer cannot have any type that Accept names"},
    "415": {"description": "the body's type, or its coding, is not known"},
    "422": {"description": "the body cannot be used: `message` says why"},
    "500": {"description": "the model's own code failed: `message` says where"},
    "503": {"description": "the model is not ready"},
    "504": {"description": "the model's deadline passed"},
}
_BINARY = {"schema": {"type": "string", "format": "binary"}}
_SPLIT = {
    "type": "object",
    "required": ["data"],
    "properties": {
        "columns": {"type": "array", "items": {"type": "string"}},
        "data": {"type": "array", "items": {"type": "array", "items": {}}},
    },
}
_LIST = {"type": "array", "items": {}}
_PREDICTIONS = {
    "type": "object",
    "required": ["predictions"],
    "properties": {"predictions": _LIST},
}
_BY_ACCEPT: Dict[str, Any] = {
    CSV: {"schema": {"type": "string"}},
    LINES: {"schema": {"type": "string"}},
    STREAM: _BINARY,
    FILE: _BINARY,
    PARQUET: _BINARY,
}
"""Forms of an answer beside JSON, as ``Accept`` asks for them."""
PREDICT: Dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "text/csv": {"schema": {"type": "string"}},
            "application/json": {
                "schema": {
                    "type": "object",
                    "properties": {
                        "dataframe_split": _SPLIT,
                        "dataframe_records": {"type": "array", "items": {"type": "object"}},
                    },
                }
            },
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["X"],
                    "properties": {"X": {"type": "string", "format": "binary"}},
                }
            },
        },
    },
    "responses": {
        "200": {
            "description": "one prediction a row",
            "content": {
                "application/json": {"schema": {"anyOf": [_PREDICTIONS, _LIST]}},
                **_BY_ACCEPT,
            },
        },
        "400": {"description": "the JSON body cannot be used: `message` says why"},
        **_ERRORS,
    },
}
TRANSFORM: Dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "text/csv": {"schema": {"type": "string"}},
            "multipart/form-data": PREDICT["requestBody"]["content"]["multipart/form-data"],
        },
    },
    "responses": {
        "200": {
            "description": "the rows, transformed",
            "content": {
                "multipart/form-data": {},
                "application/json": {"schema": _LIST},
                **_BY_ACCEPT,
            },
        },
        **_ERRORS,
    },
}
UNSTRUCTURED: Dict[str, Any] = {
    "requestBody": {"content": {"*/*": _BINARY}},
    "responses": {"200": {"description": "what the hook returned"}, **_ERRORS},
}
