"""ONNX graphs, run by ONNX Runtime."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence, Tuple

import numpy as np

from polyhost.bridges.python import frames
from polyhost.bridges.python.frameworks import estimators
from polyhost.bridges.python.frameworks.arrays import as_table, check_width
from polyhost.bridges.python.frameworks.columns import Columns
from polyhost.bridges.python.frameworks.libraries import library
from polyhost.data.payload import Dictionary, Table
from polyhost.data.target import Target
from polyhost.errors import LoadError, SchemaMismatch
from polyhost.pipeline.marshal import match_labels
from polyhost.predictor import ColumnInfo, GuestInfo

NAME = "onnx"
_TYPES = {
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
    "tensor(float16)": np.float16,
    "tensor(int64)": np.int64,
    "tensor(int32)": np.int32,
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
        several = len(self._inputs) > 1
        names = [found.name for found in self._inputs] if several else None
        self._columns = Columns(names, None if several else self._inputs[0].width)
        self._matrix = not several and self._inputs[0].dtype is not np.object_
        self.info = GuestInfo(
            framework=NAME,
            columns=tuple(ColumnInfo(found.name, found.kind) for found in self._inputs)
            if several
            else (),
            schema_source="model" if several else "nothing",
            matrix=self._matrix,
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
        if len(self._inputs) == 1:
            cells = np.column_stack([_cells(column, np.object_, "") for column in columns])
            return {self._inputs[0].name: cells}
        return {
            found.name: _cells(column, found.dtype, found.name).reshape(-1, 1)
            for found, column in zip(self._inputs, columns)
        }

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


class _Input:
    """One input of a graph."""

    def __init__(self, node: Any) -> None:
        if node.type not in _TYPES:
            raise LoadError(
                f"the ONNX input {node.name!r} is a {node.type}: expected one of "
                f"{', '.join(_TYPES)}. Define a score hook.",
                language="python",
                found=node.type,
            )
        shape = [size if isinstance(size, int) else None for size in node.shape]
        self.name: str = node.name
        self.dtype: Any = _TYPES[node.type]
        self.kind = "text" if self.dtype is np.object_ else "number"
        self.batch: Optional[int] = shape[0] if shape else None
        self.width: Optional[int] = shape[1] if len(shape) == 2 else None


def _cells(column: Any, dtype: Any, name: str) -> np.ndarray:
    """One column as a graph's input takes it; missing text is empty."""
    values = column.to_objects() if isinstance(column, Dictionary) else column
    if dtype is np.object_:
        texts: List[str] = ["" if value is None else str(value) for value in values.tolist()]
        return np.array(texts, np.object_)
    try:
        return np.asarray(values, dtype)
    except (TypeError, ValueError) as error:
        raise SchemaMismatch(
            f"column {name!r} must hold numbers: {error}. Send a number in every row, or nothing "
            "where it is not known.",
            column=name,
        ) from error


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
