"""V2 over HTTP: JSON, with the binary tensor extension where the header of the request says so.

``options["header"]`` of a request is what its Inference-Header-Content-Length said.
"""

from __future__ import annotations

import base64
import math
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple, Union

import numpy as np

from polyhost.codecs import Answer, Request, nonfinite
from polyhost.codecs.v2 import schema
from polyhost.codecs.v2.datatypes import BYTES, count_of, flat, from_raw, to_raw
from polyhost.codecs.v2.message import NONE, InferRequest, Output, Tensor, Wanted
from polyhost.codecs.v2.predict import infer, infer_many
from polyhost.data.payload import Buffer
from polyhost.errors import InvalidInput
from polyhost.formats import json
from polyhost.pipeline import batching
from polyhost.predictor import ModelInfo, Predictor

HEADER = "Inference-Header-Content-Length"
SIZE = "binary_data_size"
_WHOLE = frozenset((int,))


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
    if header is None:
        return _decoded(json.loads(body), None)
    view = memoryview(body)
    size = _header_size(header, len(view))
    binary = _Binary(view[size:])
    found = _decoded(json.loads(view[:size]), binary)
    binary.check_used()
    return found


def _decoded(value: Any, binary: Optional[_Binary]) -> InferRequest:
    if not isinstance(value, dict):
        raise InvalidInput("the body is no JSON object: expected one with a list of 'inputs'.")
    parameters = _object(value, "parameters", "the request")
    inputs = _list(value, "inputs")
    if not inputs:
        raise InvalidInput("the request has no 'inputs': expected a list of at least one tensor.")
    tensors = [_tensor(each, binary) for each in inputs]
    id = value.get("id")
    if id is not None and not isinstance(id, str):
        raise InvalidInput(f"'id' must be text; found {id!r:.60}.")
    outputs = [_wanted(each) for each in _list(value, "outputs")]
    raw = bool(parameters) and parameters.get("binary_data_output") is True
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


def _tensor(value: Any, binary: Optional[_Binary]) -> Tensor:
    if not isinstance(value, dict):
        raise InvalidInput(f"'inputs' must hold objects; found {value!r:.60}.")
    name, datatype, shape = value.get("name"), value.get("datatype"), value.get("shape")
    if not isinstance(name, str):
        raise InvalidInput(f"an input has no name: expected text; found {name!r:.60}.")
    if not isinstance(datatype, str):
        raise InvalidInput(f"input {name!r} has no 'datatype': expected text, such as FP64.")
    if (
        not isinstance(shape, list)
        or not _WHOLE.issuperset(map(type, shape))
        or (shape and min(shape) < 0)
    ):
        raise InvalidInput(
            f"input {name!r}: its 'shape' must be a list of whole numbers; found {shape!r:.60}."
        )
    parameters = value.get("parameters", NONE)
    if parameters:
        parameters = _object(value, "parameters", f"input {name!r}")
        _refuse_shared_memory(name, parameters)
    if parameters and SIZE in parameters:
        if binary is None:
            raise InvalidInput(f"input {name!r} has {SIZE}, and the request no header {HEADER}.")
        raw = binary.take(name, parameters[SIZE])
        found = from_raw(name, datatype, tuple(shape), raw)
        return _counted(Tensor(name, datatype, tuple(shape), found, parameters))
    data = value.get("data")
    if not isinstance(data, list):
        if "data" in value and not shape:
            data = [data]
        else:
            raise InvalidInput(f"input {name!r} has no 'data': expected a list.")
    if list in set(map(type, data)):
        data = flat(Tensor(name, datatype, tuple(shape), data))
    return _counted(Tensor(name, datatype, tuple(shape), data, parameters or NONE))


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
    parameters = value.get("parameters")
    if not parameters:
        return Wanted(name)
    parameters = _object(value, "parameters", f"output {name!r}")
    _refuse_shared_memory(name, parameters)
    if parameters.get("classification"):
        raise InvalidInput(
            f"output {name!r}: the classification extension is not supported: ask for 'predict'."
        )
    binary = parameters.get("binary_data")
    return Wanted(name, binary if isinstance(binary, bool) else None)


def _object(value: Mapping[str, Any], key: str, where: str) -> Mapping[str, Any]:
    found = value.get(key)
    if found is None:
        return NONE
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
    raw: List[bytes] = []
    written = []
    for output in outputs:
        binary = wanted.get(output.made.name)
        if found.raw if binary is None else binary:
            raw.append(to_raw(output.made.datatype, output.values))
            written.append(_described(output, {SIZE: len(raw[-1])}))
        else:
            written.append(_in_json(output))
    body: Dict[str, Any] = {"model_name": request.options["model"]}
    if request.options.get("version"):
        body["model_version"] = request.options["version"]
    if found.id:
        body["id"] = found.id
    if found.content_type:
        body["parameters"] = {"content_type": found.content_type}
    body["outputs"] = written
    text = json.dumps(body)
    if not raw:
        return Answer(text)
    headers = {HEADER: str(len(text))}
    return Answer(b"".join([text, *raw]), "application/octet-stream", headers=headers)


def _described(output: Output, more: Mapping[str, Any] = NONE) -> Dict[str, Any]:
    made = output.made
    found: Dict[str, Any] = {"name": made.name, "datatype": made.datatype, "shape": output.shape}
    parameters = {**made.parameters, **more} if more else made.parameters
    if parameters:
        found["parameters"] = parameters
    return found


def _in_json(output: Output) -> Dict[str, Any]:
    made = output.made
    elements = made.flat(output.start, output.stop)
    more: Mapping[str, Any] = NONE
    if made.datatype == BYTES:
        elements, more = _json_texts(elements)
    elif made.datatype == "FP64" and not all(map(math.isfinite, elements)):
        nonfinite.note(made.name, np.array(elements))
    found = _described(output, more)
    found["data"] = elements
    return found


def _json_texts(values: List[Any]) -> Tuple[List[Any], Mapping[str, Any]]:
    """Elements as text; all of them in base64 where one is not text."""
    if bytes not in set(map(type, values)):
        return values, NONE
    try:
        return [v.decode("utf-8") if isinstance(v, bytes) else v for v in values], NONE
    except UnicodeDecodeError:
        raw = [v.encode("utf-8") if isinstance(v, str) else v for v in values]
        found = [None if v is None else base64.b64encode(v).decode("ascii") for v in raw]
        return found, {"content_type": "base64"}
