"""Models in R for tests: code dirs written on the spot, and what R itself says of them."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from polyhost.bridges import bridge_for
from polyhost.data.payload import Payload
from polyhost.data.target import Target, TargetType
from polyhost.predictor import Guest, HookContext, ModelSpec

MODELS = Path(__file__).parent.parent / "models"


def rscript(code: str) -> str:
    """What a fresh R prints that runs this code."""
    return run_r("-e", code)


def run_r(*arguments: object) -> str:
    """What a fresh R prints, with these arguments of Rscript."""
    command = ["Rscript", "--vanilla", *map(str, arguments)]
    environment = {"TZ": "UTC", **os.environ}
    ran = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def spec(code_dir: Path, kind: str = "regression", labels: tuple[str, ...] = ()) -> ModelSpec:
    custom = Path("custom.R") if (code_dir / "custom.R").exists() else None
    artifacts = tuple(Path(path.name) for path in code_dir.glob("*.rds"))
    target = Target(TargetType(kind), labels, "completion" if kind == "textgeneration" else None)
    return ModelSpec(code_dir, "r", target, custom, artifacts)


def context(guest_spec: ModelSpec, payload: Payload | None = None) -> HookContext:
    return HookContext(guest_spec.target, payload or Payload(b""))


def write_hooks(code_dir: Path, code: str) -> Path:
    code_dir.mkdir(exist_ok=True)
    (code_dir / "custom.R").write_text(code, encoding="utf-8")
    return code_dir


def open_guest(code_dir: Path, kind: str = "regression", labels: tuple[str, ...] = ()) -> Guest:
    """A guest with its model loaded, as the pipeline would load it."""
    guest_spec = spec(code_dir, kind, labels)
    guest = bridge_for("r").open(guest_spec)
    if "init" in guest.hooks:
        guest.run_init()
    loaded = "load_model" in guest.hooks and guest.run_load_model()
    if not loaded and guest_spec.artifacts:
        guest.load_artifact(code_dir / guest_spec.artifacts[0])
    return guest
