"""Model libraries with a built-in predict: a table of small classes, one a library.

A library is added as a module here with a class like :class:`~.sklearn.SklearnFramework`, and a
row in ``FRAMEWORKS``; the first that accepts a model has it. An installed package adds one with an
entry point in the group ``polyhost.frameworks`` whose object is a :class:`Framework`; ours come first.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Optional, Protocol, Tuple

from polyhost import plugins
from polyhost.bridges.python.faults import facts
from polyhost.bridges.python.frameworks import estimators
from polyhost.bridges.python.frameworks.catboost import CatBoostFramework
from polyhost.bridges.python.frameworks.keras import KerasFramework
from polyhost.bridges.python.frameworks.libraries import missing_in
from polyhost.bridges.python.frameworks.lightgbm import LightGBMFramework
from polyhost.bridges.python.frameworks.onnx import OnnxFramework
from polyhost.bridges.python.frameworks.pmml import PmmlFramework
from polyhost.bridges.python.frameworks.sklearn import SklearnFramework, SklearnTransformer
from polyhost.bridges.python.frameworks.torch import TorchFramework
from polyhost.bridges.python.frameworks.xgboost import XGBoostFramework
from polyhost.data.payload import Table
from polyhost.data.target import Target
from polyhost.errors import LoadError, PolyhostError
from polyhost.predictor import ArtifactTarget, GuestInfo


class BuiltIn(Protocol):
    """A loaded model of a known library, ready to predict."""

    @property
    def info(self) -> GuestInfo: ...

    def predict(self, data: Any) -> Table:
        """Predictions for a DataFrame or a Table, one row each."""
        ...


class Framework(Protocol):
    """A model library."""

    @property
    def name(self) -> str: ...

    @property
    def extensions(self) -> Tuple[str, ...]: ...

    def load(self, artifact: Path) -> Any: ...

    def accepts(self, model: Any) -> bool: ...

    def built_in(self, model: Any, target: Target) -> BuiltIn:
        """LoadError when the model cannot answer this target type."""
        ...


FRAMEWORKS: Tuple[Framework, ...] = (
    KerasFramework(),
    XGBoostFramework(),
    LightGBMFramework(),
    TorchFramework(),
    SklearnFramework(),
    OnnxFramework(),
    PmmlFramework(),
    CatBoostFramework(),
)
"""In DRUM's order. A library is imported when a model of it is loaded, not before."""


def all_frameworks() -> Tuple[Framework, ...]:
    """Ours, then those that installed packages add."""
    return (*FRAMEWORKS, *plugins.installed(plugins.FRAMEWORKS))


def load_artifact(artifact: Path) -> Any:
    """The model in a file, by its extension; LoadError keeps the library's own error."""
    for framework in all_frameworks():
        if artifact.name.lower().endswith(framework.extensions):
            try:
                return framework.load(artifact)
            except PolyhostError:
                raise
            except Exception as error:
                unavailable = missing_in(error)
                if unavailable is not None:
                    raise unavailable from error
                found = facts(error, "load_artifact", artifact.parent)
                raise LoadError(
                    f"An error occurred when loading your artifact: {artifact.name}: "
                    f"{found['native_type']}: {found['native_message']}. Install the library "
                    "(and its version) that the model was saved with, or define load_model.",
                    language="python",
                    **found,
                ) from error
    known = ", ".join(
        sorted({extension for framework in all_frameworks() for extension in framework.extensions})
    )
    raise LoadError(
        f"no built-in library loads {artifact.name}: expected one of {known}. Define a load_model "
        "hook and a score hook for it.",
        language="python",
        found=artifact.name,
    )


def built_in(model: Any, target: Target) -> Optional[BuiltIn]:
    """The built-in predict of a loaded model; None when no library knows it."""
    for framework in all_frameworks():
        if framework.accepts(model):
            return framework.built_in(model, target)
    return None


def transformer(model: Any) -> Optional[SklearnTransformer]:
    """A model that can transform rows by itself; None when no library knows it, or it cannot."""
    known = any(framework.accepts(model) for framework in all_frameworks())
    return SklearnTransformer(model) if known and hasattr(model, "transform") else None


def target_of(model: Any) -> Optional[ArtifactTarget]:
    """What a loaded model was trained for; None when it does not say."""
    if estimators.is_estimator(model):
        return estimators.target_of(model)
    for framework in all_frameworks():
        if framework.accepts(model):
            found: Optional[ArtifactTarget] = getattr(framework, "target_of", _nothing)(model)
            return found
    return None


def _nothing(model: Any) -> None:
    """What a library says whose models do not know their target."""


__all__ = [
    "FRAMEWORKS",
    "BuiltIn",
    "Framework",
    "SklearnTransformer",
    "all_frameworks",
    "built_in",
    "load_artifact",
    "target_of",
    "transformer",
]
