"""A class ``CustomTask`` in the custom file, as the hooks that it stands for."""

from __future__ import annotations

from typing import Any, Callable, Dict, Optional, Tuple

from polyhost.data.target import TargetType
from polyhost.errors import LoadError

NAME = "CustomTask"
_INTERFACE = "CustomTaskInterface"
_METHODS = {
    TargetType.BINARY: "predict_proba",
    TargetType.MULTICLASS: "predict_proba",
    TargetType.MULTILABEL: "predict_proba",
    TargetType.TRANSFORM: "transform",
}
Hook = Callable[..., Any]


def task_of(module: Any) -> Optional[Any]:
    """The task that a custom file defines, or None; LoadError when it derives from no interface.

    Classes are recognised by name: they may be those of the real package.
    """
    task = getattr(module, NAME, None)
    if task is None:
        return None
    if any(kind.__name__ == _INTERFACE for kind in getattr(task, "__mro__", ())):
        return task
    raise LoadError(
        f"{NAME} in {module.__file__} derives from no task interface: expected one of "
        "datarobot_drum.custom_task_interfaces, such as RegressionEstimatorInterface.",
        language="python",
        found=[kind.__name__ for kind in getattr(task, "__mro__", ())],
    )


def hooks_of(task: Any, target: TargetType) -> Tuple[Dict[str, Hook], Any]:
    """``load_model`` and ``score`` (or ``transform``), and the method behind the latter."""
    name = _METHODS.get(target, "predict")
    method = getattr(task, name, None)
    if method is None:
        raise LoadError(
            f"{NAME} has no method {name}: expected it for target type {target.value!r}; it "
            f"derives from {', '.join(kind.__name__ for kind in task.__mro__[1:-1])}.",
            language="python",
            found=sorted(key for key in vars(task) if not key.startswith("_")),
        )

    def load_model(code_dir: str) -> Any:
        return task.load(code_dir)

    def score(data: Any, model: Any, **named: Any) -> Any:
        return getattr(model, name)(data, **named)

    def transform(data: Any, model: Any) -> Any:
        return model.transform(data)

    if target is TargetType.TRANSFORM:
        return {"load_model": load_model, "transform": transform}, method
    return {"load_model": load_model, "score": score}, method


def fit_hook(task: Any) -> Hook:
    """Trains a new task and has it save itself."""

    def fit(X: Any, y: Any, output_dir: str, **named: Any) -> Any:  # noqa: N803
        trained = task()
        trained.fit(X, y, output_dir=output_dir, **named)
        trained.save(output_dir)
        return trained

    return fit
