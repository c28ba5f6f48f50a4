"""The flavor ``onnx``: a graph, run by ONNX Runtime with the providers that the file names."""

from __future__ import annotations

import logging
from typing import Any, Dict, List, Mapping, Optional

import numpy as np

from polyhost.bridges.python import frames
from polyhost.bridges.python.frameworks.libraries import library
from polyhost.bridges.python.mlflow.saved import SavedModel
from polyhost.errors import SchemaMismatch

logger = logging.getLogger(__name__)

NAME = "onnx"
_CPU = "CPUExecutionProvider"


def load(model: SavedModel) -> OnnxGraph:
    """The graph of a folder."""
    runtime = library("onnxruntime")
    attributes = model.attributes(NAME)
    path = model.file(attributes.get("data"), model.pyfunc.get("data"), "model.onnx")
    options = _options(runtime, attributes.get("onnx_session_options") or {})
    providers = _providers(runtime, attributes.get("providers"))
    return OnnxGraph(runtime.InferenceSession(str(path), options, providers=providers))


class OnnxGraph:
    """A session. Its answer is an array by the name of each output; for a DataFrame, a DataFrame
    whose columns are the outputs, each flattened to one dimension, as MLflow has it."""

    row_wise = False
    matrix = False
    framework = NAME

    def __init__(self, session: Any) -> None:
        self.model = session
        self._inputs = {node.name: node.type for node in session.get_inputs()}
        self._outputs = [node.name for node in session.get_outputs()]

    def predict(self, data: Any, params: Optional[Mapping[str, Any]]) -> Any:
        """What the graph answers to a DataFrame, an array, or arrays by the names of its inputs."""
        found = self.model.run(self._outputs, self._feeds(data))
        if not frames.is_frame(data):
            return dict(zip(self._outputs, found))
        columns = {name: np.asarray(part) for name, part in zip(self._outputs, found)}
        flat = {name: part.reshape(-1) for name, part in columns.items()}
        if len({len(part) for part in flat.values()}) > 1:  # MLflow has no answer to this one
            flat = {name: _by_row(part) for name, part in columns.items()}
        return frames.pandas().DataFrame(flat)

    def _feeds(self, data: Any) -> Dict[str, np.ndarray]:
        names = list(self._inputs)
        if frames.is_frame(data):
            missing = [name for name in names if name not in data.columns]
            if len(names) > 1 and missing:
                raise _mismatch(names, list(map(str, data.columns)))
            feeds = {n: data[n].to_numpy() for n in names} if len(names) > 1 else {}
            feeds = feeds or {names[0]: data.to_numpy()}
        elif isinstance(data, Mapping):
            feeds = {name: np.asarray(value) for name, value in data.items()}
            if set(feeds) != set(names):
                raise _mismatch(names, list(feeds))
        else:
            if len(names) > 1:
                raise _mismatch(names, [])
            feeds = {names[0]: np.asarray(data)}
        return {name: self._typed(name, array) for name, array in feeds.items()}

    def _typed(self, name: str, array: np.ndarray) -> np.ndarray:
        """JSON has only doubles, and most graphs take floats."""
        if self._inputs[name] == "tensor(float)" and array.dtype.kind in "iufb":
            return array.astype(np.float32)
        if self._inputs[name] == "tensor(string)":
            return array.astype(object)
        return array


def _by_row(part: np.ndarray) -> Any:
    return part if part.ndim == 1 else list(part)


def _mismatch(expected: List[str], found: List[str]) -> SchemaMismatch:
    return SchemaMismatch(
        f"the graph takes the inputs {', '.join(expected)}: found "
        f"{', '.join(found) or 'one array without a name'}. Send an array for each by its name.",
        expected=expected,
        found=found,
    )


def _providers(runtime: Any, named: Any) -> List[Any]:
    """Those of the file that are here, in its order; the CPU if none is."""
    listed = [named] if isinstance(named, str) else list(named or [])
    wanted = [tuple(each) if isinstance(each, list) else each for each in listed]
    here = set(runtime.get_available_providers())
    usable = [each for each in wanted if (each[0] if isinstance(each, tuple) else each) in here]
    if wanted and len(usable) < len(wanted):
        logger.warning("the model names the providers %s; here are %s", wanted, sorted(here))
    return usable or [_CPU]


def _options(runtime: Any, named: Mapping[str, Any]) -> Any:
    options = runtime.SessionOptions()
    for key in ("inter_op_num_threads", "intra_op_num_threads"):
        if named.get(key):
            setattr(options, key, int(named[key]))
    mode = str(named.get("execution_mode") or "").upper()
    if mode in ("SEQUENTIAL", "PARALLEL"):
        options.execution_mode = getattr(runtime.ExecutionMode, f"ORT_{mode}")
    if named.get("graph_optimization_level") is not None:
        level = runtime.GraphOptimizationLevel(named["graph_optimization_level"])
        options.graph_optimization_level = level
    for key, value in (named.get("extra_session_config") or {}).items():
        options.add_session_config_entry(str(key), str(value))
    return options
