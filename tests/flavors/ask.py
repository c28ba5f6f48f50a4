"""Load a saved model in this process and ask it: ``ask.py FOLDER BODY [--without-mlflow]``.

Prints the answer as JSON, or an object with ``refused``: why it cannot be loaded.
"""

from __future__ import annotations

import json
import sys
from importlib.abc import MetaPathFinder
from pathlib import Path
from typing import Any


class Without(MetaPathFinder):
    """MLflow is not installed."""

    def find_spec(self, name: str, path: Any, target: Any = None) -> Any:
        if name.partition(".")[0] == "mlflow":
            raise ModuleNotFoundError(f"No module named {name!r}", name="mlflow")
        return None


def main(folder: Path, body: str) -> dict[str, Any]:
    """The answer of the model in a folder."""
    from polyhost.code_dir.spec import spec_of
    from polyhost.codecs import Request, dispatch
    from polyhost.errors import PolyhostError
    from polyhost.pipeline.pipeline import open_predictor
    from polyhost.settings import TargetSettings

    try:
        model = open_predictor(spec_of(folder, TargetSettings(), infer=True))
        answer = dispatch.answer(
            model, Request("predict", "mlflow", "application/json"), body.encode()
        )
    except PolyhostError as error:
        return {"refused": error.message}
    found: dict[str, Any] = json.loads(bytes(answer.body))  # type: ignore[arg-type]
    return found


if __name__ == "__main__":
    if "--without-mlflow" in sys.argv:
        sys.meta_path.insert(0, Without())
    print("\n" + json.dumps(main(Path(sys.argv[1]), sys.argv[2])))
