"""ONNX graphs, run by ONNX Runtime."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

import numpy as np

from polyhost.bridges.python import frames
from polyhost.bridges.python.frameworks import estimators
from polyhost.bridges.python.frameworks.arrays import as_table, check_width
from polyhost.bridges.python.frameworks.columns import Columns, numbers
from polyhost.bridges.python.frameworks.expected import is_missing
from polyhost.bridges.python.frameworks.libraries import library
from polyhost.data.cells import text_of
from polyhost.data.column_info import BOOLEAN, INTEGER, NUMBER, TEXT
from polyhost.data.payload import Dictionary, Table
from polyhost.data.target import Target
from polyhost.errors import LoadError, SchemaMismatch
from polyhost.pipeline.marshal import match_labels
from polyhost.predictor import ColumnInfo, GuestInfo

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
        names = None if only else [name for each in self._inputs for name in each.columns]
        self._columns = Columns(names, only.width if only else None)
        self._matrix = only is not None and only.dtype is not np.object_
        self.texts = only is not None and not self._matrix and only.width is None
        """Whether all columns are texts, however many there are."""
        columns = tuple(info for each in self._inputs for info in each.infos(by_name=not only))
        self.info = GuestInfo(
            framework=NAME,
            columns=columns,
            schema_source="model" if columns else "nothing",
            matrix=self._matrix and only is not None and only.kind == NUMBER,
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
        left = iter(columns)
        return {
            found.name: np.column_stack(
                [_cells(next(left), found.dtype, name) for name in found.columns]
            )
            for found in self._inputs
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
        self.kind = TEXT if self.dtype is np.object_ else _KINDS[np.dtype(self.dtype).kind]
        self.batch: Optional[int] = shape[0] if shape else None
        self.width: Optional[int] = shape[1] if len(shape) == 2 else None
        width = self.width or 1
        self.columns = [f"{node.name}.{i}" for i in range(width)] if width > 1 else [node.name]
        """Names of its columns, where there are other inputs; as tensors are spelled in a table."""

    def infos(self, by_name: bool) -> List[ColumnInfo]:
        """The neutral records of its columns; none where their number is not known."""
        missing = "allowed" if self.kind in (NUMBER, TEXT) else "error"
        names = self.columns if by_name else [""] * (self.width or 0)
        return [ColumnInfo(name, self.kind, missing=missing) for name in names]


_KINDS = {"f": NUMBER, "i": INTEGER, "u": INTEGER, "b": BOOLEAN}


def _cells(column: Any, dtype: Any, name: str) -> np.ndarray:
    """One column as a graph's input takes it; missing text is empty."""
    if dtype is not np.object_:
        return numbers(column, dtype, name)
    values = column.to_objects() if isinstance(column, Dictionary) else column
    texts: List[str] = ["" if is_missing(value) else text_of(value) for value in values.tolist()]
    return np.array(texts, np.object_)


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
