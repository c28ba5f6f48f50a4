"""Make an ONNX model, an input and ONNX Runtime's predictions: ``make_onnx.py SCENARIO OUT_DIR``."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pandas as pd
from onnx import TensorProto, helper

out = Path(sys.argv[2])
weights = np.array([[1.5], [-2.0], [0.25]], dtype=np.float32)
graph = helper.make_graph(
    [helper.make_node("MatMul", ["rows", "weights"], ["answer"])],
    "linear",
    [helper.make_tensor_value_info("rows", TensorProto.FLOAT, [None, 3])],
    [helper.make_tensor_value_info("answer", TensorProto.FLOAT, [None, 1])],
    [helper.make_tensor("weights", TensorProto.FLOAT, weights.shape, weights.flatten())],
)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
(out / "model").mkdir()
onnx.save(model, out / "model" / "model.onnx")
rows = np.arange(30, dtype=np.float32).reshape(10, 3) / 4
pd.DataFrame(rows, columns=["a", "b", "c"]).to_csv(out / "input.csv", index=False)
session = onnxruntime.InferenceSession(out / "model" / "model.onnx")
(native,) = session.run(None, {"rows": rows})
pd.DataFrame({"Predictions": native[:, 0]}).to_csv(out / "expected.csv", index=False)
