"""The flavor ``sklearn``: pickle, cloudpickle or skops, answered by ``predict`` or ``predict_fn``."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Mapping

from polyhost.bridges.python.frameworks import pickled
from polyhost.bridges.python.frameworks.libraries import library
from polyhost.bridges.python.mlflow.estimator import EstimatorModel
from polyhost.bridges.python.mlflow.saved import SavedModel

_METHODS = ("predict", "predict_proba", "predict_log_proba", "predict_joint_log_proba", "score")


def load(model: SavedModel) -> EstimatorModel:
    """The estimator of a folder."""
    attributes = model.attributes("sklearn")
    pyfunc = model.pyfunc
    path = model.file(
        attributes.get("pickled_model"), pyfunc.get("model_path"), pyfunc.get("data"), "model.pkl"
    )
    estimator = read(model, path, attributes)
    return EstimatorModel(estimator, str(pyfunc.get("predict_fn") or "predict"), "scikit-learn")


def read(model: SavedModel, path: Path, attributes: Mapping[str, Any]) -> Any:
    """The object in a pickle, or in a file of skops."""
    model.check_pickle()  # MLflow's switch refuses skops too
    if attributes.get("serialization_format") == "skops" or path.suffix == ".skops":
        return _skops(path, attributes)
    return pickled.load(path)


def _skops(path: Path, attributes: Mapping[str, Any]) -> Any:
    library("skops")
    from skops import io  # type: ignore[import-not-found,unused-ignore]

    trusted = attributes.get("skops_trusted_types")
    return io.load(path, trusted=trusted or io.get_untrusted_types(file=path))
