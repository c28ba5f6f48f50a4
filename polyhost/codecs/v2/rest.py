"""V2 over HTTP: JSON, with the binary tensor extension where the header of the request says so.

``options["header"]`` of a request is what its Inference-Header-Content-Length said.
"""

from __future__ import annotations

import base64
from typing import Any, Dict, List, Mapping, Sequence, Tuple, Union

import numpy as np

from polyhost.codecs import Answer, Request, nonfinite
from polyhost.codecs.v2 import schema
from polyhost.codecs.v2.datatypes import BYTES, NUMPY, count_of, flat, from_raw, to_raw
from polyhost.codecs.v2.message import InferRequest, Output, Tensor, Wanted
from polyhost.codecs.v2.predict import infer, infer_many
from polyhost.data.payload import Buffer
from polyhost.errors import InvalidInput
from polyhost.formats import json
from polyhost.pipeline import batching
from polyhost.predictor import ModelInfo, Predictor

HEADER = "Inference-Header-Content-Length"
SIZE = "binary_data_size"


def answer(predictor: Predictor, request: Request, body: Buffer) -> Answer:
    """Answer one request, or describe the model (``metadata``)."""
    if request.op == "metadata":
        return Answer(json.dumps(metadata_of(predictor.info, request.options)))
    found = decode(request, body)
    return encode(request, found, infer(predictor, request, found))


def answer_many(
    predictor: Predictor, request: Request, bodies: Sequence[Buffer]
) -> List[Union[Answer, Exception]]:
    """Answer a batch: requests with inputs of the same names and types in one call."""
    pairs = infer_many(predictor, request, bodies, lambda body: decode(request, body))
    return [
        outputs
        if isinstance(outputs, Exception)
        else batching.attempt(lambda pair: encode(request, *pair), (found, outputs))
        for found, outputs in pairs
    ]


def metadata_of(info: ModelInfo, options: Mapping[str, Any]) -> Dict[str, Any]:
    """What a model is; ``options`` hold its name and version, and what a registry says of it."""
    found = {
        "name": options["model"],
        "versions": [options["version"]],
        "platform": schema.platform_of(info),
        "inputs": schema.inputs_of(info),
        "outputs": schema.outputs_of(info),
    }
    said = options.get("annotations")
    if said:
        found["parameters"] = said
        for side in ("inputs", "outputs"):
            if len(found[side]) == len(said[side]):
                for tensor, more in zip(found[side], said[side]):
                    tensor["parameters"] = more
    return found


# Requests


def decode(request: Request, body: Buffer) -> InferRequest:
    """The request that a body is; InvalidInput says what is wrong with it."""
    header = request.options.get("header")
    view = memoryview(body)
    size = len(view) if header is None else _header_size(header, len(view))
    value = json.loads(view[:size])
    if not isinstance(value, dict):
        raise InvalidInput("the body is no JSON object: expected one with a list of 'inputs'.")
    parameters = _object(value, "parameters", "the request")
    inputs = _list(value, "inputs")
    if not inputs:
        raise InvalidInput("the request has no 'inputs': expected a list of at least one tensor.")
    binary = _Binary(view[size:])
    tensors = [_tensor(each, binary) for each in inputs]
    binary.check_used()
    id = value.get("id")
    if id is not None and not isinstance(id, str):
        raise InvalidInput(f"'id' must be text; found {id!r:.60}.")
    outputs = [_wanted(each) for each in _list(value, "outputs")]
    raw = parameters.get("binary_data_output") is True
    return InferRequest(tensors, outputs, id or "", parameters, raw)


def _header_size(header: str, size: int) -> int:
    if not header.isdigit() or int(header) > size:
        raise InvalidInput(
            f"{HEADER} is {header!r}: expected the number of bytes of the JSON at the beginning of "
            f"the body, which has {size}."
        )
    return int(header)


class _Binary:
    """The bytes after the JSON, which inputs take in their order."""

    def __init__(self, rest: memoryview) -> None:
        self._rest = rest
        self._at = 0

    def take(self, name: str, size: Any) -> memoryview:
        """The next ``size`` bytes."""
        left = len(self._rest) - self._at
        if type(size) is not int or size < 0 or size > left:
            raise InvalidInput(
                f"input {name!r}: {SIZE} is {size!r:.60}: expected the number of its bytes after the "
                f"JSON, of which {left} are left. {HEADER} says where the JSON ends."
            )
        self._at += size
        return self._rest[self._at - size : self._at]

    def check_used(self) -> None:
        """InvalidInput when bytes are left that belong to no input."""
        left = len(self._rest) - self._at
        if left:
            raise InvalidInput(
                f"{left} byte(s) after the JSON belong to no input: expected as many as the sum of "
                f"{SIZE} of all inputs."
            )


def _tensor(value: Any, binary: _Binary) -> Tensor:
    if not isinstance(value, dict):
        raise InvalidInput(f"'inputs' must hold objects; found {value!r:.60}.")
    name, datatype, shape = value.get("name"), value.get("datatype"), value.get("shape")
    if not isinstance(name, str):
        raise InvalidInput(f"an input has no name: expected text; found {name!r:.60}.")
    if not isinstance(datatype, str):
        raise InvalidInput(f"input {name!r} has no 'datatype': expected text, such as FP64.")
    if not isinstance(shape, list) or any(type(size) is not int or size < 0 for size in shape):
        raise InvalidInput(
            f"input {name!r}: its 'shape' must be a list of whole numbers; found {shape!r:.60}."
        )
    parameters = _object(value, "parameters", f"input {name!r}")
    _refuse_shared_memory(name, parameters)
    if SIZE in parameters:
        raw = binary.take(name, parameters[SIZE])
        found = from_raw(name, datatype, tuple(shape), raw)
        return _counted(Tensor(name, datatype, tuple(shape), found, parameters))
    data = value.get("data")
    if not isinstance(data, list):
        if "data" in value and not shape:
            data = [data]
        else:
            raise InvalidInput(f"input {name!r} has no 'data': expected a list.")
    tensor = Tensor(name, datatype, tuple(shape), data, parameters)
    return _counted(Tensor(name, datatype, tuple(shape), flat(tensor), parameters))


def _counted(tensor: Tensor) -> Tensor:
    expected = count_of(tensor.shape)
    if len(tensor.values) != expected:
        raise InvalidInput(
            f"input {tensor.name!r} has {len(tensor.values)} element(s): expected {expected}, the "
            f"product of its shape {list(tensor.shape)}."
        )
    return tensor


def _refuse_shared_memory(name: str, parameters: Mapping[str, Any]) -> None:
    if "shared_memory_region" in parameters:
        raise InvalidInput(
            f"{name!r} lies in shared memory, which is not supported: send the data themselves."
        )


def _wanted(value: Any) -> Wanted:
    name = value.get("name") if isinstance(value, dict) else None
    if not isinstance(name, str):
        raise InvalidInput(f"'outputs' must hold objects with a 'name'; found {value!r:.60}.")
    parameters = _object(value, "parameters", f"output {name!r}")
    _refuse_shared_memory(name, parameters)
    if parameters.get("classification"):
        raise InvalidInput(
            f"output {name!r}: the classification extension is not supported: ask for 'predict'."
        )
    binary = parameters.get("binary_data")
    return Wanted(name, binary if isinstance(binary, bool) else None)


def _object(value: Mapping[str, Any], key: str, where: str) -> Dict[str, Any]:
    found = value.get(key)
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise InvalidInput(f"'{key}' of {where} must be an object; found {found!r:.60}.")
    return found


def _list(value: Mapping[str, Any], key: str) -> List[Any]:
    found = value.get(key)
    if found is None:
        return []
    if not isinstance(found, list):
        raise InvalidInput(f"'{key}' must be a list; found {found!r:.60}.")
    return found


# Answers


def encode(request: Request, found: InferRequest, outputs: Sequence[Output]) -> Answer:
    """The answer of a request: JSON, and after it the bytes of outputs that are wanted so."""
    wanted = {output.name: output.binary for output in found.outputs}
    written, raw = [], []
    for output in outputs:
        binary = wanted.get(output.name)
        one, data = _output(output, found.raw if binary is None else binary)
        written.append(one)
        raw.append(data)
    body: Dict[str, Any] = {"model_name": request.options["model"]}
    if request.options.get("version"):
        body["model_version"] = request.options["version"]
    if found.id:
        body["id"] = found.id
    if found.content_type:
        body["parameters"] = {"content_type": found.content_type}
    body["outputs"] = written
    text = json.dumps(body)
    if all(data is None for data in raw):
        return Answer(text)
    whole = b"".join([text, *(data for data in raw if data is not None)])
    return Answer(whole, "application/octet-stream", headers={HEADER: str(len(text))})


def _output(output: Output, binary: bool) -> Tuple[Dict[str, Any], Any]:
    values = output.values
    parameters = dict(output.parameters)
    one: Dict[str, Any] = {
        "name": output.name,
        "datatype": output.datatype,
        "shape": list(values.shape),
    }
    if binary:
        data = to_raw(output.datatype, values)
        one["parameters"] = {**parameters, SIZE: len(data)}
        return one, data
    if output.datatype == BYTES:
        elements, encoded = _json_texts(values.ravel().tolist())
        if encoded:
            parameters["content_type"] = "base64"
    else:
        elements = _json_numbers(output.name, values)
    if parameters:
        one["parameters"] = parameters
    one["data"] = elements
    return one, None


def _json_numbers(name: str, values: np.ndarray) -> List[Any]:
    if values.dtype == NUMPY["FP64"] and not np.isfinite(values).all():
        flat_values = values.ravel()
        nonfinite.note(name, flat_values)
    found: List[Any] = values.ravel().tolist()
    return found


def _json_texts(values: List[Any]) -> Tuple[List[Any], bool]:
    """Elements as text; all of them in base64 where one is no text."""
    try:
        return [v.decode("utf-8") if isinstance(v, bytes) else v for v in values], False
    except UnicodeDecodeError:
        raw = [v.encode("utf-8") if isinstance(v, str) else v for v in values]
        return [None if v is None else base64.b64encode(v).decode("ascii") for v in raw], True
