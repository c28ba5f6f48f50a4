"""The table of bridges: which language a code dir is in, and who loads it.

A third party adds a language with an entry point in the group ``polyhost.bridges`` whose object
is a :class:`Bridge`; nothing else in polyhost knows a language by name.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Dict, Optional, Tuple, cast

from polyhost import plugins
from polyhost.errors import RuntimeUnavailable, SettingsError
from polyhost.predictor import Guest, ModelSpec

TEMPLATES = Path(__file__).resolve().parents[1] / "templates"


@dataclass(frozen=True)
class Bridge:
    """One language.

    ``module``: has ``open(spec) -> Guest``, ``doctor() -> list[Finding]`` and, when a warm parent
    serves it, ``warm() -> None`` (run once in the fork server before any worker is forked) and
    ``warm_model(spec) -> bool`` (run there before a model's worker is; True if it did something).
    ``artifacts``: extensions, matched without case at the end of a name; a file of one in
    ``yielding`` is not a model where another artifact lies beside it. ``custom``: names of the
    custom file. ``warm_parent``: name of the fork server whose children host it, or None to spawn.
    ``embeds``: it starts a runtime in the process that stays there; two cannot share a process.
    ``image_install``: line of a Dockerfile that installs a model's requirements, given as shell
    ``{words}`` or quoted ``{strings}``; empty where the language has none. ``no_artifact``: what
    DRUM says in this language where an artifact is absent; scripts look for it.
    ``environment``: ``module:function`` that returns the variables which a process must have
    before the runtime starts in it; the module is imported in the host, so it must be light.
    ``templates``: folder of what ``polyhost new model`` writes; None is ours.
    ``frameworks``: group of entry points whose objects load further artifacts, by ``extensions``.
    ``flavors``: those of a folder that MLflow saved which this language serves, the preferred first;
    ``added_flavors``: group of entry points whose objects serve further ones, by ``name``.
    """

    language: str
    module: str
    artifacts: Tuple[str, ...]
    custom: Tuple[str, ...]
    requires: str
    warm_parent: Optional[str] = "python"
    custom_recursive: bool = False
    embeds: bool = True
    image_install: str = ""
    yielding: Tuple[str, ...] = ()
    no_artifact: str = ""
    environment: str = ""
    templates: Optional[Path] = None
    frameworks: str = ""
    flavors: Tuple[str, ...] = ()
    added_flavors: str = ""

    @property
    def all_flavors(self) -> Tuple[str, ...]:
        """Flavors of MLflow's models: those that installed packages serve first, then ours."""
        added = plugins.installed(self.added_flavors) if self.added_flavors else ()
        return tuple(dict.fromkeys((*(flavor.name for flavor in added), *self.flavors)))

    @property
    def all_artifacts(self) -> Tuple[str, ...]:
        """Extensions of artifacts, those that installed packages load included."""
        added = plugins.installed(self.frameworks) if self.frameworks else ()
        more = (extension for framework in added for extension in framework.extensions)
        return tuple(dict.fromkeys((*self.artifacts, *more)))

    @property
    def template_folder(self) -> Path:
        return self.templates or TEMPLATES / self.language

    def variables(self) -> Dict[str, str]:
        """What a process must have in its environment before this language starts in it."""
        if not self.environment:
            return {}
        module, _, name = self.environment.partition(":")
        return dict(getattr(importlib.import_module(module), name)())

    def load(self) -> Any:
        """The bridge's module; RuntimeUnavailable with the install command when it can't be."""
        try:
            return importlib.import_module(self.module)
        except ImportError as error:
            raise RuntimeUnavailable(
                f"{self.language} models cannot be served here: {error}. Needed: {self.requires}.",
                language=self.language,
            ) from error

    def open(self, spec: ModelSpec) -> Guest:
        opener = cast(Callable[[ModelSpec], Guest], self.load().open)
        return opener(spec)


BRIDGES: Dict[str, Bridge] = {
    bridge.language: bridge
    for bridge in (
        Bridge(
            "python",
            "polyhost.bridges.python",
            artifacts=(".pkl", ".pth", ".h5", ".keras", ".joblib", ".onnx", ".pmml", ".cbm"),
            custom=("custom.py",),
            requires="pip install polyhost and the model's own library",
            custom_recursive=True,
            embeds=False,
            frameworks=plugins.FRAMEWORKS,
            flavors=(
                *("python_function", "sklearn", "xgboost", "lightgbm", "onnx"),
                *("catboost", "statsmodels", "h2o", "keras"),
            ),
            added_flavors=plugins.FLAVORS,
            image_install="RUN pip3 install {words}",
            yielding=(
                ".joblib",
                ".keras",
                ".cbm",
            ),  # DRUM loads none: there they are a hook's own data
        ),
        Bridge(
            "r",
            "polyhost.bridges.r",
            artifacts=(".rds",),
            custom=("custom.R", "custom.r"),
            requires="pip install 'polyhost[r]' and R 4 (Debian: apt-get install r-base-dev)",
            warm_parent="r",
            environment="polyhost.bridges.r.install:environment",
            image_install="RUN Rscript -e 'options(warn = 2); install.packages(c({strings}), "
            'repos = "https://cloud.r-project.org")\'',
            flavors=("crate", "r_crate", "r_function"),
            no_artifact="Could not find a serialized model artifact with .rds extension, supported "
            "by default R predictor. If your artifact is not supported by default predictor, "
            "implement custom.load_model hook.",
        ),
        Bridge(
            "java",
            "polyhost.bridges.java",
            artifacts=(".jar", ".zip", ".java", ".mojo"),
            custom=("custom.jar", "Custom.java"),
            requires="pip install 'polyhost[java]' and Java 11 or later "
            "(Debian: apt-get install openjdk-17-jdk-headless)",
        ),
        Bridge(
            "julia",
            "polyhost.bridges.julia",
            artifacts=(".jlso",),
            custom=("custom.jl",),
            requires="pip install 'polyhost[julia]' and Julia (https://julialang.org/downloads)",
        ),
    )
}


OTHER = "other"
"""DRUM's word for a model that runs in a model server of its own."""


def bridge_for(language: str) -> Bridge:
    """The bridge of a language; SettingsError when there is none."""
    if language == OTHER:
        raise SettingsError(
            f"the language {OTHER!r} means a model in a model server of its own (--gpu-predictor), "
            "and polyhost starts none: expected one of "
            f"{', '.join(sorted(all_bridges()))}. Run that server by itself, or call it from the "
            "hooks of a model in one of these languages."
        )
    found = BRIDGES.get(language) or _plugins().get(language)
    if found is None:
        raise SettingsError(
            f"unknown language {language!r}: expected one of {', '.join(sorted(all_bridges()))}."
        )
    return found


def all_bridges() -> Dict[str, Bridge]:
    """Every bridge by language: ours, then those that entry points add under other names."""
    return {**BRIDGES, **_plugins(), **BRIDGES}


def _plugins() -> Dict[str, Bridge]:
    return {bridge.language: bridge for bridge in plugins.installed(plugins.BRIDGES)}
