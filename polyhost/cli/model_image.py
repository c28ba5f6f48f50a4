"""What an image of one model is built from: the drop-in image of its kind, and a Dockerfile."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from polyhost import __version__
from polyhost.code_dir import metadata as metadata_file
from polyhost.code_dir.inspect import CodeDir, inspect
from polyhost.code_dir.spec import build_spec
from polyhost.errors import SettingsError
from polyhost.settings import TargetSettings

ENVIRONMENTS = {
    "java_codegen": "java",
    "julia_mlj": "julia",
    "mlflow": "python",
    "polyglot": "",
    "python3_keras": "python",
    "python3_onnx": "python",
    "python3_pmml": "python",
    "python3_pytorch": "python",
    "python3_sklearn": "python",
    "python3_xgboost": "python",
    "r_lang": "r",
}
"""The drop-in environments, and the language of each; ``polyglot`` has all."""
USUAL = {"java": "java_codegen", "julia": "julia_mlj", "python": "python3_sklearn", "r": "r_lang"}
BY_ARTIFACT = {
    ".onnx": "python3_onnx",
    ".pmml": "python3_pmml",
    ".pth": "python3_pytorch",
    ".h5": "python3_keras",
    ".keras": "python3_keras",
}
BY_REQUIREMENT = {
    "xgboost": "python3_xgboost",
    "xgboost-cpu": "python3_xgboost",
    "torch": "python3_pytorch",
    "keras": "python3_keras",
    "tensorflow": "python3_keras",
    "onnxruntime": "python3_onnx",
    "pypmml": "python3_pmml",
}
REQUIREMENTS = "requirements.txt"
LABELS = "io.polyhost"
OURS = "/opt/polyhost"
LABELS_FILE = "class_labels.txt"
OWNER = "10001:0"
"""The user and the group of the drop-in images."""
INSTALL_PYTHON = f"RUN pip install --no-cache-dir -r {REQUIREMENTS} && pip check\n"
INSTALL_JULIA = """\
ENV JULIA_PROJECT=/opt/code
RUN julia --startup-file=no -e 'using Pkg; Pkg.instantiate(); Pkg.precompile()'
"""
BUILD_R = """\
FROM {base} AS packages
USER 0
RUN apt-get update && apt-get install -y --no-install-recommends r-base-dev
RUN mkdir /opt/packages && Rscript -e 'options(warn = 2); install.packages(c({names}), \
lib = "/opt/packages", repos = "https://cloud.r-project.org")'

"""
COPY_R = "COPY --from=packages /opt/packages/ /usr/local/lib/R/site-library/\n"


@dataclass(frozen=True)
class ModelImage:
    """One model and what its image starts from. ``base_given``: the user named the base."""

    name: str
    folder: Path
    language: str
    environment: str
    base: str
    base_given: bool = False
    labels: Mapping[str, str] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)
    arguments: tuple[str, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)
    """Files beside the model's, in ``/opt/polyhost``: their text by name."""

    def dockerfile(self) -> str:
        """The Dockerfile; its context holds the model in ``model/``."""
        packages = self._r_packages()
        text = BUILD_R.format(base=self.base, names=packages) if packages else ""
        text += f"FROM {self.base}\n"
        if self.labels:
            text += _lines("LABEL", self.labels)
        if self.variables:
            text += _lines("ENV", self.variables)
        if packages:
            text += COPY_R
        for name in self.files:
            text += f"COPY {name} {OURS}/\n"
        text += f"COPY --chown={OWNER} model/ /opt/code/\n"
        if self.language == "python" and (self.folder / REQUIREMENTS).is_file():
            text += INSTALL_PYTHON
        if self.language == "julia" and (self.folder / "Project.toml").is_file():
            text += INSTALL_JULIA
        if self.arguments:
            text += f"CMD {json.dumps(self.arguments)}\n"
        return text

    def _r_packages(self) -> str:
        names = requirements(self.folder) if self.language == "r" else []
        return ", ".join(json.dumps(name) for name in names)


def describe(
    folder: Path,
    name: str,
    target: TargetSettings,
    *,
    language: str | None = None,
    environment: str | None = None,
    base: str | None = None,
) -> ModelImage:
    """What an image of the model in this folder is; CodeDirError where it is none."""
    code_dir = inspect(folder, language)
    chosen = environment or environment_of(code_dir)
    known = ENVIRONMENTS[chosen]
    if known and known != code_dir.language:
        raise SettingsError(
            f"--env {chosen} serves {known} models; {folder} holds one in {code_dir.language}. "
            f"Expected {USUAL.get(code_dir.language, 'polyglot')}, or polyglot."
        )
    metadata = metadata_file.read(folder)
    if metadata and target.type.value:
        build_spec(code_dir, target, infer=True)  # they may disagree
    document = metadata.document if metadata else {}
    kind = target.type.value or document.get("targetType")
    called = str(document.get("name") or name)
    labels = {
        "org.opencontainers.image.title": called,
        "org.opencontainers.image.description": str(document.get("description") or ""),
        f"{LABELS}.version": __version__,
        f"{LABELS}.language": code_dir.language,
        f"{LABELS}.environment": chosen,
        f"{LABELS}.target-type": str(kind or ""),
        f"{LABELS}.model-id": str(document.get("modelID") or ""),
    }
    return ModelImage(
        called,
        folder,
        code_dir.language,
        chosen,
        base or image_of(chosen),
        bool(base),
        {key: value for key, value in labels.items() if value},
        _variables(target),
        ("--language", language) if language else (),
        {LABELS_FILE: "\n".join(target.class_labels.value) + "\n"} if _spaced(target) else {},
    )


def image_of(environment: str) -> str:
    """The name of a drop-in image of this version."""
    return f"polyhost-{environment.replace('_', '-')}:{__version__}"


def environment_of(code_dir: CodeDir) -> str:
    """The drop-in environment of a model's kind: by its artifact, then its requirements."""
    usual = USUAL.get(code_dir.language, "polyglot")
    if code_dir.language != "python":
        return usual
    if (code_dir.path / "MLmodel").is_file():
        return "mlflow"
    for artifact in code_dir.artifacts:
        if artifact.suffix.lower() in BY_ARTIFACT:
            return BY_ARTIFACT[artifact.suffix.lower()]
    wanted = [re.split(r"[^\w.-]", line, maxsplit=1)[0] for line in requirements(code_dir.path)]
    named = (BY_REQUIREMENT.get(name.lower().replace("_", "-")) for name in wanted)
    return next(filter(None, named), usual)


def requirements(folder: Path) -> list[str]:
    """The lines of a model's ``requirements.txt`` that ask for something."""
    file = folder / REQUIREMENTS
    lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
    return [line.strip() for line in lines if line.strip() and not line.strip().startswith("#")]


def _variables(target: TargetSettings) -> dict[str, str]:
    found = {"TARGET_TYPE": target.type.value or ""}
    if target.binary_labels.value:
        positive, negative = target.binary_labels.value
        found |= {"POSITIVE_CLASS_LABEL": positive, "NEGATIVE_CLASS_LABEL": negative}
    if _spaced(target):
        found["CLASS_LABELS_FILE"] = f"{OURS}/{LABELS_FILE}"
    else:
        found["CLASS_LABELS"] = " ".join(target.class_labels.value)
    return {name: value for name, value in found.items() if value}


def _spaced(target: TargetSettings) -> bool:
    """Whether some label holds a space, at which the variable would be split."""
    return any(" " in label for label in target.class_labels.value)


def _lines(instruction: str, values: Mapping[str, str]) -> str:
    return "".join(f"{instruction} {name}={_quoted(value)}\n" for name, value in values.items())


def _quoted(value: str) -> str:
    """A value of LABEL or ENV: one line, in which ``$`` names no variable."""
    text = re.sub(r"\s+", " ", value).strip()
    return '"' + re.sub(r'(["\\$])', r"\\\1", text) + '"'
