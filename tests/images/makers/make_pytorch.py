"""Make a PyTorch model, an input and PyTorch's own predictions: ``make_pytorch.py SCENARIO OUT_DIR``."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import torch

out = Path(sys.argv[2])
torch.manual_seed(7)
model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU(), torch.nn.Linear(4, 1))
(out / "model").mkdir()
torch.save(model, out / "model" / "model.pth")
rows = np.arange(30, dtype=np.float32).reshape(10, 3) / 8
pd.DataFrame(rows, columns=["a", "b", "c"]).to_csv(out / "input.csv", index=False)
with torch.no_grad():
    native = model(torch.from_numpy(rows)).numpy()
pd.DataFrame({"Predictions": native[:, 0]}).to_csv(out / "expected.csv", index=False)
