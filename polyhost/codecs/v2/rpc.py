"""V2 as gRPC has it: the messages ModelInferRequest and ModelInferResponse."""

from __future__ import annotations

import struct
from typing import Any, Dict, List, Mapping, Sequence, Tuple, Union

import numpy as np

from polyhost.codecs import Answer, Request
from polyhost.codecs.v2.datatypes import BYTES, NUMPY, as_bytes, count_of, from_raw, to_raw
from polyhost.codecs.v2.message import InferRequest, Output, Tensor, Wanted
from polyhost.codecs.v2.predict import infer, infer_many
from polyhost.data.payload import Buffer
from polyhost.errors import InvalidInput
from polyhost.formats import protobuf as pb
from polyhost.formats.rows import objects
from polyhost.pipeline import batching
from polyhost.predictor import Predictor

PROTOBUF = "application/x-protobuf"
_CONTENTS = {
    "BOOL": 1,
    **dict.fromkeys(("INT8", "INT16", "INT32"), 2),
    "INT64": 3,
    **dict.fromkeys(("UINT8", "UINT16", "UINT32"), 4),
    "UINT64": 5,
    "FP32": 6,
    "FP64": 7,
    BYTES: 8,
}
"""The field of InferTensorContents that holds the elements of each datatype."""


def answer(predictor: Predictor, request: Request, body: Buffer) -> Answer:
    """Answer one request."""
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


# Requests


def names_in(body: Buffer) -> Tuple[str, str]:
    """Model and version that a request names; its other fields, which come after, are not read."""
    name = version = ""
    for number, _, value in pb.fields(memoryview(body)):
        if number == 1:
            name = pb.text(value, "model_name")
        elif number == 2:
            version = pb.text(value, "model_version")
        elif name:
            break
    return name, version


def decode(request: Request, body: Buffer) -> InferRequest:
    """The request that a message is; InvalidInput says what is wrong with it."""
    id = version = ""
    parameters: Dict[str, Any] = {}
    inputs, outputs, raw = [], [], []
    for number, _, value in pb.fields(memoryview(body)):
        if number == 2:
            version = pb.text(value, "model_version")
        elif number == 3:
            id = pb.text(value, "id")
        elif number == 4:
            parameters.update([_parameter(_message(value))])
        elif number == 5:
            inputs.append(_Input(_message(value)))
        elif number == 6:
            outputs.append(_wanted(_message(value)))
        elif number == 7:
            raw.append(_message(value))
    if version not in ("", request.options["version"]):
        raise InvalidInput(
            f"model_version is {version!r}: expected {request.options['version']!r}, or none."
        )
    if raw and (len(raw) != len(inputs) or any(found.contents for found in inputs)):
        raise InvalidInput(
            f"the request has {len(raw)} raw_input_contents for {len(inputs)} inputs: expected one "
            "for each, or none where each input has its contents."
        )
    tensors = [
        found.of_raw(raw[i]) if raw else found.of_contents() for i, found in enumerate(inputs)
    ]
    return InferRequest(tensors, outputs, id, parameters, bool(raw))


def _message(value: pb.Value) -> memoryview:
    if isinstance(value, int):
        raise InvalidInput("the message is no ModelInferRequest.")
    return value


def _parameter(entry: memoryview) -> Tuple[str, Any]:
    """An entry of ``map<string, InferParameter>``."""
    key, found = "", None
    for number, _, value in pb.fields(entry):
        if number == 1:
            key = pb.text(value, "the name of a parameter")
        elif number == 2:
            found = _parameter_value(_message(value), key)
    return key, found


def _parameter_value(message: memoryview, key: str) -> Any:
    found: Any = None
    for number, _, value in pb.fields(message):
        if number == 1:
            found = bool(value)
        elif number == 2 and isinstance(value, int):
            found = pb.signed(value)
        elif number == 3:
            found = pb.text(value, f"parameter {key!r}")
        elif number == 4 and not isinstance(value, int):
            found = pb.double(value)
        elif number == 5:
            found = value
    return found


class _Input:
    """A tensor of the request, whose elements may stand elsewhere."""

    def __init__(self, message: memoryview) -> None:
        self.name = self.datatype = ""
        self.contents: List[memoryview] = []
        self._parameters: Dict[str, Any] = {}
        sizes = []
        for number, _, value in pb.fields(message):
            if number == 1:
                self.name = pb.text(value, "the name of an input")
            elif number == 2:
                self.datatype = pb.text(value, "the datatype of an input")
            elif number == 3:
                sizes.append(value)
            elif number == 4:
                self._parameters.update([_parameter(_message(value))])
            elif number == 5:
                self.contents.append(_message(value))
        self.shape = tuple(pb.varints(sizes).view(np.int64).tolist()) if sizes else ()
        if min(self.shape, default=0) < 0:
            raise InvalidInput(f"input {self.name!r} has the shape {list(self.shape)}.")
        if "shared_memory_region" in self._parameters:
            raise InvalidInput(
                f"{self.name!r} lies in shared memory, which is not supported: send the data."
            )

    def of_raw(self, raw: memoryview) -> Tensor:
        """The tensor whose elements are these bytes."""
        found = from_raw(self.name, self.datatype, self.shape, raw)
        return self._tensor(found)

    def of_contents(self) -> Tensor:
        """The tensor whose elements stand in it."""
        wanted = _CONTENTS.get(self.datatype)
        if wanted is None:
            if self.datatype in ("FP16", "BF16"):
                raise InvalidInput(
                    f"input {self.name!r}: {self.datatype} has no contents: expected its elements in "
                    "raw_input_contents."
                )
            return self._tensor(from_raw(self.name, self.datatype, self.shape, b""))
        parts: List[pb.Value] = []
        for message in self.contents:
            for number, _, value in pb.fields(message):
                if number != wanted:
                    raise InvalidInput(
                        f"input {self.name!r}: its contents are not those of the datatype "
                        f"{self.datatype}."
                    )
                parts.append(value)
        return self._tensor(_elements(self.name, self.datatype, parts))

    def _tensor(self, values: np.ndarray) -> Tensor:
        expected = count_of(self.shape)
        if len(values) != expected:
            raise InvalidInput(
                f"input {self.name!r} has {len(values)} element(s): expected {expected}, the product "
                f"of its shape {list(self.shape)}."
            )
        return Tensor(self.name, self.datatype, self.shape, values, self._parameters)


def _elements(name: str, datatype: str, parts: List[pb.Value]) -> np.ndarray:
    if datatype == BYTES:
        return objects([bytes(_message(part)) for part in parts])
    if datatype in ("FP32", "FP64"):
        return pb.fixed(parts, NUMPY[datatype].str)
    found = pb.varints(parts)
    kind = NUMPY[datatype]
    if kind.kind == "b":
        return found.astype(bool)
    if kind.kind == "i":
        found = found.view(np.int64)
    narrow = found.astype(kind)
    if kind.itemsize < 8 and (narrow != found).any():
        bounds = np.iinfo(kind)
        raise InvalidInput(
            f"input {name!r} holds numbers that {datatype} has not: expected {bounds.min} to "
            f"{bounds.max}; found {found.min()} to {found.max()}."
        )
    return narrow


def _wanted(message: memoryview) -> Wanted:
    name = ""
    parameters: Dict[str, Any] = {}
    for number, _, value in pb.fields(message):
        if number == 1:
            name = pb.text(value, "the name of an output")
        elif number == 2:
            parameters.update([_parameter(_message(value))])
    if parameters.get("classification"):
        raise InvalidInput(
            f"output {name!r}: the classification extension is not supported: ask for 'predict'."
        )
    return Wanted(name)


# Answers


def encode(request: Request, found: InferRequest, outputs: Sequence[Output]) -> Answer:
    """The answer of a request, in the form in which its inputs came."""
    parts = [
        pb.known(1, request.options["model"]),
        pb.known(2, request.options.get("version", "")),
        pb.known(3, found.id),
    ]
    if found.content_type:
        parts.append(pb.field(4, parameter("content_type", found.content_type)))
    parts += [pb.field(5, _output(output, typed=not found.raw)) for output in outputs]
    if found.raw:
        parts += [pb.field(6, to_raw(output.made.datatype, output.values)) for output in outputs]
    return Answer(b"".join(parts), PROTOBUF)


def _output(output: Output, *, typed: bool) -> bytes:
    made = output.made
    parts = [
        pb.field(1, made.name),
        pb.field(2, made.datatype),
        pb.packed(3, output.shape),
        *(pb.field(4, parameter(key, value)) for key, value in made.parameters.items()),
    ]
    if typed:
        parts.append(pb.field(5, _contents(output)))
    return b"".join(parts)


def _contents(output: Output) -> bytes:
    made = output.made
    number = _CONTENTS[made.datatype]
    if made.datatype == "FP64":
        return pb.known(number, to_raw("FP64", output.values))
    values = made.flat(output.start, output.stop)
    if made.datatype == BYTES:
        return b"".join([pb.field(number, as_bytes(value)) for value in values])
    return pb.packed(number, values)


def parameter(key: str, value: Any) -> bytes:
    """An entry of ``map<string, InferParameter>``."""
    if isinstance(value, bool):
        found = pb.number(1, value)
    elif isinstance(value, int):
        found = pb.number(2, value)
    elif isinstance(value, float):
        found = pb.varint(4 << 3 | pb.FIXED64) + struct.pack("<d", value)
    else:
        found = pb.field(3, str(value))
    return pb.field(1, key) + pb.field(2, found)


def metadata(found: Mapping[str, Any]) -> bytes:
    """ModelMetadataResponse, of what the route of the same content answers."""
    parts = [pb.known(1, found["name"])]
    parts += [pb.field(2, version) for version in found.get("versions", ())]
    parts.append(pb.known(3, found.get("platform", "")))
    for number, key in ((4, "inputs"), (5, "outputs")):
        parts += [pb.field(number, _described(tensor)) for tensor in found.get(key, ())]
    return b"".join(parts)


def _described(tensor: Mapping[str, Any]) -> bytes:
    parameters = tensor.get("parameters", {})
    return b"".join(
        [
            pb.field(1, tensor["name"]),
            pb.field(2, tensor["datatype"]),
            pb.packed(3, tensor["shape"]),
            *(pb.field(4, parameter(key, value)) for key, value in parameters.items()),
        ]
    )
