"""ONNX graphs, run by ONNX Runtime."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, Mapping, Optional, Sequence, Tuple

import numpy as np

from polyhost.bridges.python import frames
from polyhost.bridges.python.frameworks import estimators
from polyhost.bridges.python.frameworks.arrays import as_table, check_width
from polyhost.bridges.python.frameworks.columns import Columns
from polyhost.bridges.python.frameworks.libraries import library
from polyhost.bridges.python.frameworks.named_inputs import (
    NamedInput,
    column_infos,
    column_names,
    feeds,
)
from polyhost.data.column_info import NUMBER, TEXT
from polyhost.data.payload import Table
from polyhost.data.target import Target
from polyhost.errors import LoadError, SchemaMismatch
from polyhost.pipeline.marshal import match_labels
from polyhost.predictor import GuestInfo

NAME = "onnx"
_TYPES: Mapping[str, Any] = {
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
    "tensor(float16)": np.float16,
    **{
        f"tensor({name})": np.dtype(name)
        for name in ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
    },
    "tensor(bool)": np.bool_,
    "tensor(string)": np.object_,
}
_MAPS = "seq(map("


class OnnxFramework:
    """The rows as one matrix for a graph with one input; by column for one with several."""

    name = NAME
    extensions = (".onnx",)

    def load(self, artifact: Path) -> Any:
        runtime = library("onnxruntime")
        return runtime.InferenceSession(str(artifact), providers=runtime.get_available_providers())

    def accepts(self, model: Any) -> bool:
        return estimators.derives_by_name(model, "onnxruntime", "InferenceSession")

    def built_in(self, model: Any, target: Target) -> OnnxModel:
        return OnnxModel(model, target)


class OnnxModel:
    """A session with its inputs. A graph may compute across rows, so requests are not joined."""

    def __init__(self, session: Any, target: Target) -> None:
        self._session = session
        self._target = target
        self._inputs = [_Input(node) for node in session.get_inputs()]
        self._output, self._maps, width = _output(session, target)
        check_width(width, target, NAME)
        only = self._inputs[0] if len(self._inputs) == 1 else None
        names = None if only else column_names(self._inputs)
        self._columns = Columns(names, only.width if only else None)
        self._matrix = only is not None and only.kind != TEXT
        self.texts = only is not None and not self._matrix and only.width is None
        """Whether all columns are texts, however many there are."""
        columns = tuple(column_infos(self._inputs))
        self.info = GuestInfo(
            framework=NAME,
            columns=columns,
            schema_source="model" if columns else "nothing",
            matrix=only is not None and only.kind == NUMBER,
        )

    def predict(self, data: Any) -> Table:
        """Predictions for a DataFrame or a Table."""
        feeds = self._feeds(data)
        size = self._inputs[0].batch
        rows = len(data)
        if size is None or size == rows:
            return self._run(feeds)
        if rows % size:
            raise SchemaMismatch(
                f"the model takes {size} row(s) at a time: found {rows}. Send a multiple of it, "
                "or export the model with a batch dimension of any size.",
                expected=size,
                found=rows,
            )
        parts = [
            self._run({name: values[i : i + size] for name, values in feeds.items()})
            for i in range(0, rows, size)
        ]
        return Table(parts[0].names, [np.concatenate(c) for c in zip(*(p.columns for p in parts))])

    def _feeds(self, data: Any) -> Dict[str, np.ndarray]:
        if self._matrix:
            only = self._inputs[0]
            return {only.name: self._columns.matrix(data, only.dtype)}
        table = data if isinstance(data, Table) else frames.to_table(data)
        order = self._columns.order(table.names)
        columns = table.columns if order is None else [table.columns[i] for i in order]
        return feeds(self._inputs, columns, table.names)

    def _run(self, feeds: Dict[str, np.ndarray]) -> Table:
        found = self._session.run([self._output], feeds)[0]
        if not self._maps:
            return as_table(found, self._target)
        keys = list(found[0]) if found else list(self._target.labels)
        matrix = np.array([list(row.values()) for row in found], np.float64)
        matrix = matrix.reshape(len(found), len(keys))
        return as_table(matrix, self._target, self._labels(keys))

    def _labels(self, keys: Sequence[Any]) -> Sequence[str]:
        """The graph's own classes where they are the labels asked for; else by position."""
        names = [str(key) for key in keys]
        return names if match_labels(names, self._target.labels) else ()


class _Input(NamedInput):
    """One input of a graph. ``batch``: rows that it takes at once, where that is fixed."""

    def __init__(self, node: Any) -> None:
        if node.type not in _TYPES:
            raise LoadError(
                f"the ONNX input {node.name!r} is a {node.type}: expected one of "
                f"{', '.join(_TYPES)}. Define a score hook.",
                language="python",
                found=node.type,
            )
        shape = [size if isinstance(size, int) else None for size in node.shape]
        super().__init__(node.name, _TYPES[node.type], shape[1] if len(shape) == 2 else None)
        self.batch: Optional[int] = shape[0] if shape else None


def _output(session: Any, target: Target) -> Tuple[str, bool, Optional[int]]:
    """The output that holds the predictions: its name, whether it is maps, and its width."""
    outputs = session.get_outputs()
    chosen = outputs[0]
    if len(outputs) > 1 and target.type.is_classification:
        probabilities = [node for node in outputs if "prob" in node.name.lower()]
        chosen = (probabilities or outputs)[0]
    shape = chosen.shape
    width = shape[1] if shape and len(shape) == 2 and isinstance(shape[1], int) else None
    return chosen.name, chosen.type.startswith(_MAPS), width
