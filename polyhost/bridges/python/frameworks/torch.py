"""PyTorch modules that were saved whole."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any, Dict

import numpy as np

from polyhost.bridges.python.frameworks import estimators
from polyhost.bridges.python.frameworks.arrays import ArrayModel
from polyhost.bridges.python.frameworks.columns import Columns
from polyhost.bridges.python.frameworks.libraries import library
from polyhost.data.target import Target
from polyhost.errors import LoadError

NAME = "torch"


class TorchFramework:
    """All cells as one float32 tensor; no gradients. A module may compute across rows."""

    name = NAME
    extensions = (".pth",)

    def load(self, artifact: Path) -> Any:
        load = library("torch").load
        options: Dict[str, Any] = {"map_location": "cpu"}
        if "weights_only" in inspect.signature(load).parameters:
            options["weights_only"] = False
        model = load(str(artifact), **options)
        if isinstance(model, dict):
            raise LoadError(
                f"{artifact.name} holds weights by name (a state_dict), not a module: expected "
                "what torch.save(model, path) writes. Save the whole module, or build it in a "
                "load_model hook.",
                language="python",
                found=type(model).__name__,
            )
        return model.eval() if self.accepts(model) else model

    def accepts(self, model: Any) -> bool:
        return estimators.derives(model, "torch.nn.modules.module", "Module")

    def built_in(self, model: Any, target: Target) -> ArrayModel:
        torch = library("torch")

        def predict(matrix: np.ndarray) -> Any:
            with torch.no_grad():
                found = model(torch.from_numpy(np.ascontiguousarray(matrix)))
            return found.cpu().numpy()

        return ArrayModel(NAME, target, Columns(), predict)
