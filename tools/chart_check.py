"""Check the Helm chart with Helm's linter and the Kubernetes API's own schemas: ``make test-chart``.

Renders the chart with each file of tests/packaging/chart_values. Helm and kubectl-validate are Go programs,
which are built into .setup/bin unless they are on the path.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

from shell import ROOT, STATE, StepFailed, locked, say, step

CHART = ROOT / "charts" / "polyhost"
VALUES = sorted((ROOT / "tests" / "packaging" / "chart_values").glob("*.yaml"))
PROGRAMS = STATE / "bin"
SOURCES = {
    "helm": "helm.sh/helm/v3/cmd/helm@v3.19.5",
    "kubectl-validate": "sigs.k8s.io/kubectl-validate@v0.0.4",
}
KUBERNETES = "1.30"
REFUSED = {
    "no model": (),
    "a port that is text": ("--set", "models.m=/m", "--set-string", "serve.port=http"),
    "a value that is not known": ("--set", "models.m=/m", "--set", "serve.replica=3"),
    "a batch without input": ("--set", "serve.enabled=false,batch.enabled=true,batch.model=/m"),
}
MODEL = ROOT / "tests" / "models" / "score_regression" / "python"


def main() -> int:
    """Check all; 0 when nothing is wrong."""
    try:
        with locked():
            helm, validate = (program(name) for name in SOURCES)
    except StepFailed as error:
        say(f"error: {error}")
        return 1
    problems = [problem for path in VALUES for problem in check(helm, validate, path)]
    for what, flags in REFUSED.items():
        if _run(helm, *_template(*flags)).returncode == 0:
            problems.append(f"{what} is not refused")
    for problem in problems:
        say(f"error: {problem}")
    say(f"{len(VALUES)} configurations of the chart, {len(problems)} problems")
    return 1 if problems else 0


def program(name: str) -> str:
    """The path of a program, which is built where it is missing."""
    found = shutil.which(name) or shutil.which(name, path=PROGRAMS)
    if found is None:
        PROGRAMS.mkdir(parents=True, exist_ok=True)
        os.environ.update(GOBIN=str(PROGRAMS), GOFLAGS="-buildvcs=false")
        step(f"building {name}", ["go", "install", SOURCES[name]], log=f"go-{name}")
        found = str(PROGRAMS / name)
    return found


def check(helm: str, validate: str, values: Path) -> list[str]:
    """What is wrong with the chart under one configuration."""
    problems = []
    linted = _run(helm, "lint", "--strict", CHART, "--values", values)
    if linted.returncode:
        problems.append(f"{values.name}: helm lint: {linted.stdout}{linted.stderr}")
    rendered = _run(helm, *_template("--values", str(values)))
    if rendered.returncode:
        return [*problems, f"{values.name}: helm template: {rendered.stderr}"]
    found = [document for document in yaml.safe_load_all(rendered.stdout) if document]
    with tempfile.TemporaryDirectory() as folder:
        for number, document in enumerate(found):
            if "monitoring.coreos.com" not in document["apiVersion"]:
                Path(folder, f"{number}.yaml").write_text(yaml.safe_dump(document))
        checked = _run(validate, folder, "--version", KUBERNETES)
        if checked.returncode:
            problems.append(f"{values.name}: {checked.stdout}{checked.stderr}")
        problems += [f"{values.name}: {text}" for text in _own_problems(found, Path(folder))]
    return problems


def _own_problems(documents: list[dict[str, object]], folder: Path) -> list[str]:
    """What polyhost finds wrong with the configuration that the chart writes for it."""
    for document in documents:
        data = document.get("data")
        if not isinstance(data, dict) or "polyhost.yaml" not in data:
            continue
        config = yaml.safe_load(data["polyhost.yaml"])
        for name, model in config["models"].items():
            own = model if isinstance(model, dict) else {}
            target = {"type": "regression"}
            config["models"][name] = {**own, "path": str(MODEL), "target": target}
        path = folder / "polyhost.yaml"
        path.write_text(yaml.safe_dump(config))
        env = {**os.environ, "POLYHOST_KEY": "k" * 40}
        done = _run(sys.executable, "-m", "polyhost", "config", "check", "--config", path, env=env)
        return [done.stdout + done.stderr] if done.returncode else []
    return []


def _template(*flags: str) -> tuple[str | Path, ...]:
    return ("template", "release", CHART, "--kube-version", f"{KUBERNETES}.0", *flags)


def _run(*words: str | Path, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    command = [str(word) for word in words]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=env)


if __name__ == "__main__":
    sys.exit(main())
