"""The custom file: ``custom.py``, imported as the module ``custom``, and its hooks."""

from __future__ import annotations

import importlib.util
import inspect
import sys
from pathlib import Path
from typing import Any, Callable, Dict, FrozenSet, List, Optional

from polyhost import drum_compat
from polyhost.bridges.python import tasks
from polyhost.bridges.python.faults import facts
from polyhost.bridges.python.interrupt import may_be_typed
from polyhost.data.target import TargetType
from polyhost.errors import LoadError
from polyhost.predictor import CHAT_HOOKS, HOOKS

MODULE = "custom"
Hook = Callable[..., Any]


class Custom:
    """The hooks of a code dir by name; none when it has no custom file."""

    def __init__(self, code_dir: Path, file: Optional[Path], target: TargetType) -> None:
        self._paths: List[str] = []
        self._module: Any = None
        self._hooks: Dict[str, Hook] = {}
        self._search(code_dir, file)
        if file is not None:
            self._module = self._import(code_dir, code_dir / file)
            self._hooks = {
                name: hook
                for name in _read_for(target)
                if callable(hook := getattr(self._module, name, None))
            }
        self.task = tasks.task_of(self._module)
        """The class of a custom task, whose methods then stand for the hooks; or None."""
        predicts: Any = None
        if self.task is not None:
            self._hooks, predicts = tasks.hooks_of(self.task, target)
        self.names: FrozenSet[str] = frozenset(self._hooks)
        self._keywords = {name: _keywords(hook) for name, hook in self._hooks.items()}
        if "score" in self._hooks and predicts is not None:
            self._keywords["score"] = _keywords(predicts)
        if target is TargetType.TRANSFORM and "transform" in self._hooks:
            self.transform_arity = _transform_arity(self._hooks["transform"])

    def __getitem__(self, name: str) -> Hook:
        return self._hooks[name]

    def accepted(self, name: str, arguments: Dict[str, Any]) -> Dict[str, Any]:
        """Those of the keyword arguments that the hook takes."""
        return {key: value for key, value in arguments.items() if self.accepts(name, key)}

    def accepts(self, name: str, keyword: str) -> bool:
        """Whether the hook takes a keyword argument."""
        keywords = self._keywords[name]
        return keywords is None or keyword in keywords

    def fit(self) -> Optional[Hook]:
        """The ``fit`` hook, or what trains and saves the custom task; None when there is none."""
        if self.task is not None:
            return tasks.fit_hook(self.task)
        hook = getattr(self._module, "fit", None)
        return hook if callable(hook) else None

    def close(self) -> None:
        """Undo what importing did to the interpreter."""
        for path in self._paths:
            if path in sys.path:
                sys.path.remove(path)
        if self._module is not None and sys.modules.get(MODULE) is self._module:
            del sys.modules[MODULE]

    def _search(self, code_dir: Path, file: Optional[Path]) -> None:
        """The custom file's folder comes first on the search path, the code dir last."""
        if file is not None:
            first = str((code_dir / file).parent)
            sys.path.insert(0, first)
            self._paths.append(first)
        sys.path.append(str(code_dir))
        self._paths.append(str(code_dir))
        self._paths += drum_compat.expose()  # last: the real package wins where it is installed

    def _import(self, code_dir: Path, path: Path) -> Any:
        spec = importlib.util.spec_from_file_location(MODULE, path)
        if spec is None or spec.loader is None:
            raise LoadError(f"{path} is no Python file that can be imported: expected custom.py.")
        module = importlib.util.module_from_spec(spec)
        sys.modules[MODULE] = module
        try:
            spec.loader.exec_module(module)
        except BaseException as error:  # an exit among them
            self.close()
            if isinstance(error, KeyboardInterrupt) and may_be_typed():
                raise
            found = facts(error, "import", code_dir)
            raise LoadError(
                f"Failed loading hooks from [{path}] : {found['native_type']}: "
                f"{found['native_message']} at {found['location']}. Fix the custom file, or "
                "install what it imports.",
                language="python",
                **found,
            ) from error
        return module


def accepted(hook: Hook, arguments: Dict[str, Any]) -> Dict[str, Any]:
    """Those of the keyword arguments that a function takes."""
    keywords = _keywords(hook)
    return {key: of for key, of in arguments.items() if keywords is None or key in keywords}


def _read_for(target: TargetType) -> List[str]:
    """The hooks that count for a target type; the others are not looked at."""
    if target is TargetType.UNSTRUCTURED:
        return ["init", "load_model", "score_unstructured", *CHAT_HOOKS]
    if target is TargetType.TRANSFORM:
        return ["init", "load_model", "read_input_data", "transform"]
    if target is TargetType.TEXT_GENERATION:  # it may be asked on the unstructured route as well
        return [*HOOKS, *CHAT_HOOKS]
    return [name for name in (*HOOKS, *CHAT_HOOKS) if name != "score_unstructured"]


def _keywords(hook: Hook) -> Optional[FrozenSet[str]]:
    """Names that a hook takes as keywords; None when it takes any."""
    try:
        parameters = inspect.signature(hook).parameters.values()
    except (TypeError, ValueError):  # a callable written in C has no signature
        return None
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return None
    return frozenset(parameter.name for parameter in parameters)


def takes_positional(hook: Hook) -> bool:
    """True for a function that takes an argument by its place."""
    kinds = [parameter.kind for parameter in inspect.signature(hook).parameters.values()]
    by_place = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return any(kind in (*by_place, inspect.Parameter.VAR_POSITIONAL) for kind in kinds)


def _transform_arity(hook: Hook) -> int:
    parameters = inspect.signature(hook).parameters
    if len(parameters) not in (2, 3):
        raise LoadError(
            f"the transform hook takes {len(parameters)} parameter(s): expected (data, "
            "transformer) or (data, transformer, y).",
            language="python",
            hook="transform",
        )
    return len(parameters)
