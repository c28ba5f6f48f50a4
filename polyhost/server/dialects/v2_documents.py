"""The routes of V2 as the OpenAPI document describes them."""

from __future__ import annotations

from typing import Any, Dict

_TEXTS = {"type": "array", "items": {"type": "string"}}
_PARAMETERS = {"type": "object", "additionalProperties": True}
ERROR: Dict[str, Any] = {
    "type": "object",
    "required": ["error"],
    "properties": {"error": {"type": "string"}},
}


def _json(schema: Dict[str, Any], description: str = "OK") -> Dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def failed(description: str) -> Dict[str, Any]:
    """The answer of an error: ``error`` says why."""
    return _json(ERROR, description)


_DATATYPES = [
    *("BOOL", "INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64"),
    *("FP16", "BF16", "FP32", "FP64", "BYTES"),
]
_SHAPE = {"type": "array", "items": {"type": "integer", "minimum": -1}}
_DESCRIBED = {
    "type": "object",
    "required": ["name", "datatype", "shape"],
    "properties": {
        "name": {"type": "string"},
        "datatype": {"type": "string", "enum": _DATATYPES},
        "shape": _SHAPE,
        "parameters": _PARAMETERS,
    },
}
TENSOR: Dict[str, Any] = {
    "type": "object",
    "required": ["name", "datatype", "shape", "data"],
    "properties": {
        **_DESCRIBED["properties"],  # type: ignore[dict-item]
        "shape": {"type": "array", "items": {"type": "integer", "minimum": 0}},
        "data": {"type": "array", "items": {}},
    },
}
_INFER_REQUEST = {
    "type": "object",
    "required": ["inputs"],
    "properties": {
        "id": {"type": "string"},
        "parameters": _PARAMETERS,
        "inputs": {"type": "array", "minItems": 1, "items": TENSOR},
        "outputs": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["name"],
                "properties": {"name": {"type": "string"}, "parameters": _PARAMETERS},
            },
        },
    },
}
_INFER_ANSWER = {
    "type": "object",
    "required": ["model_name", "outputs"],
    "properties": {
        "model_name": {"type": "string"},
        "model_version": {"type": "string"},
        "id": {"type": "string"},
        "parameters": _PARAMETERS,
        "outputs": {"type": "array", "items": TENSOR},
    },
}
ERRORS: Dict[str, Any] = {
    "400": failed("the request cannot be used"),
    "415": failed("the body is compressed in a way that is not understood"),
    "422": failed("the request cannot be used"),
    "429": failed("too many requests wait"),
    "500": failed("the model's own code failed"),
    "503": failed("the model is not ready"),
    "504": failed("the model's deadline passed"),
}
_BINARY = {"schema": {"type": "string", "format": "binary"}}
INFER: Dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": _INFER_REQUEST}},
    },
    "responses": {
        "200": {
            "description": "the tensors that were asked for",
            "content": {
                "application/json": {"schema": _INFER_ANSWER},
                "application/octet-stream": _BINARY,
            },
        },
        **ERRORS,
    },
}
MESSAGE: Dict[str, Any] = {
    "requestBody": {"required": True, "content": {"application/octet-stream": _BINARY}},
    "responses": {
        "200": {
            "description": "a ModelInferResponse",
            "content": {"application/x-protobuf": _BINARY},
        },
        **ERRORS,
    },
}
METADATA: Dict[str, Any] = {
    "responses": {
        "200": _json(
            {
                "type": "object",
                "required": ["name", "versions", "platform", "inputs", "outputs"],
                "properties": {
                    "name": {"type": "string"},
                    "versions": _TEXTS,
                    "platform": {"type": "string"},
                    "inputs": {"type": "array", "items": _DESCRIBED},
                    "outputs": {"type": "array", "items": _DESCRIBED},
                },
            }
        ),
        "503": failed("the model is not ready"),
    }
}
_FLAG = {"type": "object", "properties": {"ready": {"type": "boolean"}}}
READY: Dict[str, Any] = {
    "responses": {"200": _json(_FLAG, "ready"), "503": _json(_FLAG, "not ready")}
}
LIVE: Dict[str, Any] = {
    "responses": {"200": _json({"type": "object", "required": ["live"]}, "the server answers")}
}
SERVER: Dict[str, Any] = {
    "responses": {
        "200": _json(
            {
                "type": "object",
                "required": ["name", "version", "extensions"],
                "properties": {
                    "name": {"type": "string"},
                    "version": {"type": "string"},
                    "extensions": _TEXTS,
                },
            }
        )
    }
}
NAMES: Dict[str, Any] = {
    "responses": {
        "200": _json({"type": "object", "required": ["models"], "properties": {"models": _TEXTS}})
    }
}
_STATES = ["READY", "UNAVAILABLE", "LOADING", "UNLOADING", "UNKNOWN"]
INDEX: Dict[str, Any] = {
    "requestBody": {
        "content": {
            "application/json": {
                "schema": {"type": "object", "properties": {"ready": {"type": "boolean"}}}
            }
        }
    },
    "responses": {
        "200": _json(
            {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["name", "version", "state", "reason"],
                    "properties": {
                        "name": {"type": "string"},
                        "version": {"type": "string"},
                        "state": {"type": "string", "enum": _STATES},
                        "reason": {"type": "string"},
                    },
                },
            }
        ),
        "400": failed("the body is no JSON object"),
    },
}
