"""Nine models in four languages behind one server: ``make demo``, or ``demo.py LANGUAGE...``.

Each is made here by its language's own tool, from a data set that ships with scikit-learn. Then
the same CSV file goes through each, from the command line and over HTTP, and every answer is
compared with what the tool itself predicts.
"""

from __future__ import annotations

import csv
import json
import math
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

from polyhost.bridges.doctor import examine, is_usable

HERE = Path(__file__).resolve().parent
JULIA_TOOLS = HERE.parent / "tests" / "models" / "builtin" / "julia"
POLYHOST = [sys.executable, "-m", "polyhost"]
READY_WITHIN = 300.0
TOLERANCE = 1e-9
"""What the ways of computing a prediction may differ by."""

METADATA = "name: {name}\ntype: inference\ntargetType: regression\n"
LOCAL = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(frozen=True)
class Model:
    name: str
    language: str
    kind: str


MODELS = (
    Model("sklearn-pickle", "python", "scikit-learn gradient boosting, .pkl"),
    Model("python-hooks", "python", "custom.py"),
    Model("h2o-mojo", "java", "H2O GBM, MOJO .zip"),
    Model("h2o-pojo", "java", "H2O GBM, POJO .java"),
    Model("java-hooks", "java", "Custom.java"),
    Model("caret-rds", "r", "caret random forest, .rds"),
    Model("r-hooks", "r", "custom.R"),
    Model("julia-jlso", "julia", "least squares, .jlso + custom.jl"),
    Model("julia-hooks", "julia", "custom.jl"),
)


@dataclass
class Outcome:
    """One model's answers, and how long each way took, in seconds."""

    model: Model
    native: list[float]
    answers: dict[str, list[float]] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    def agreeing(self, way: str) -> int:
        pairs = zip(self.answers[way], self.native, strict=False)
        return sum(math.isclose(a, b, rel_tol=TOLERANCE, abs_tol=TOLERANCE) for a, b in pairs)

    @property
    def good(self) -> bool:
        rows = len(self.native)
        return all(
            len(answer) == rows and self.agreeing(way) == rows
            for way, answer in self.answers.items()
        )


class Progress:
    """One line that says what is being done; separate lines where there is no terminal."""

    def __init__(self, steps: int) -> None:
        self._steps = steps
        self._step = 0
        self._started = time.monotonic()
        self._live = sys.stderr.isatty()

    def __call__(self, what: str, *, advance: bool = True) -> None:
        self._step += advance
        seconds = time.monotonic() - self._started
        line = f"[{self._step:2}/{self._steps}] {seconds:4.0f} s  {what}"
        if self._live:
            width = shutil.get_terminal_size().columns - 1
            print("\r" + line[:width].ljust(width), end="", file=sys.stderr, flush=True)
        elif advance:
            print(line, file=sys.stderr, flush=True)

    def clear(self) -> None:
        if self._live:
            print("\r" + " " * (shutil.get_terminal_size().columns - 1), end="\r", file=sys.stderr)


def main(asked: list[str]) -> int:
    languages, missing = usable_languages(asked or [model.language for model in MODELS])
    models = [model for model in MODELS if model.language in languages]
    progress = Progress(1 + len(languages) + len(models) + 2)
    with tempfile.TemporaryDirectory(prefix="polyhost-demo-") as folder:
        work = Path(folder)
        try:
            outcomes = run(work, languages, models, progress)
        except subprocess.CalledProcessError as error:
            progress.clear()
            print(f"{error}\n{error.stdout or ''}{error.stderr or ''}", file=sys.stderr)
            return 1
    progress.clear()
    print_table(outcomes)
    for line in missing:
        print(line)
    good = all(outcome.good for outcome in outcomes)
    complete = not (missing and os.environ.get("CI"))
    return 0 if good and complete else 1


def usable_languages(asked: list[str]) -> tuple[list[str], list[str]]:
    """Languages that can be served here, and what to do about the others."""
    findings = examine(dict.fromkeys(asked))
    usable, missing = [], []
    for language, found in findings.items():
        if is_usable(found):
            usable.append(language)
        else:
            fixes = "; ".join(finding.fix for finding in found if not finding.ok)
            missing.append(f"left out: {language}. To add it: {fixes}")
    return usable, missing


def run(work: Path, languages: list[str], models: list[Model], progress: Progress) -> list[Outcome]:
    progress("writing the data: 442 patients, scikit-learn's diabetes data set")
    training, rows = write_data(work)
    for language in languages:
        progress(f"making the {language} models")
        MAKERS[language](training, work / "models")
    outcomes = []
    for model in models:
        folder = work / "models" / model.name
        (folder / "model-metadata.yaml").write_text(METADATA.format(name=model.name))
        (folder / "native.csv").rename(work / f"{model.name}.native.csv")
        outcomes.append(Outcome(model, read_predictions(work / f"{model.name}.native.csv")))
        progress(f"scoring with {model.name} from the command line")
        score(folder, rows, outcomes[-1])
    progress(f"starting one server with {len(models)} models")
    ask_server(work / "models", rows, outcomes, progress)
    return outcomes


# Making the data and the models


def write_data(work: Path) -> tuple[Path, Path]:
    """The training data, and the same rows without the target."""
    from sklearn.datasets import load_diabetes

    frame = load_diabetes(scaled=False, as_frame=True).frame
    frame.to_csv(work / "training.csv", index=False)
    frame.drop(columns="target").to_csv(work / "rows.csv", index=False)
    return work / "training.csv", work / "rows.csv"


def make_with_python(training: Path, out: Path) -> None:
    tool(sys.executable, HERE / "models/python/make.py", training, out)


def make_with_h2o(training: Path, out: Path) -> None:
    tool(sys.executable, HERE / "models/java/make.py", training, out)


def make_with_r(training: Path, out: Path) -> None:
    maker = HERE / "models/r/make.R"
    tool("Rscript", "--no-init-file", maker, training, out, maker.parent / "hooks")


def make_with_julia(training: Path, out: Path) -> None:
    """Julia trains and serializes; the .jlso container around that is written by the tests' own
    small writer, since JLSO.jl is not everywhere."""
    maker, made = HERE / "models/julia/make.jl", out / "julia-made"
    julia = os.environ.get("POLYHOST_JULIA", "julia")
    tool(julia, "--startup-file=no", maker, training, made)
    shutil.copytree(maker.parent / "jlso", out / "julia-jlso")
    shutil.copytree(maker.parent / "hooks", out / "julia-hooks")
    sys.path.insert(0, str(JULIA_TOOLS))
    import jlso_writer

    container = jlso_writer.write(
        {"model": (made / "object").read_bytes()}, julia=(made / "version").read_text()
    )
    (out / "julia-jlso/model.jlso").write_bytes(container)
    shutil.copy(made / "weights.csv", out / "julia-hooks")
    for name in ("julia-jlso", "julia-hooks"):
        shutil.copy(made / "native.csv", out / name)


MAKERS = {
    "python": make_with_python,
    "java": make_with_h2o,
    "r": make_with_r,
    "julia": make_with_julia,
}


def tool(*command: object) -> None:
    words = [str(word) for word in command]
    subprocess.run(words, check=True, capture_output=True, text=True, stdin=subprocess.DEVNULL)


# Scoring


def score(folder: Path, rows: Path, outcome: Outcome) -> None:
    output = folder.parent.parent / f"{folder.name}.csv"
    started = time.perf_counter()
    tool(*POLYHOST, "score", "--code-dir", folder, "--input", rows, "--output", output)
    outcome.seconds["command"] = time.perf_counter() - started
    outcome.answers["command"] = read_predictions(output)


def read_predictions(path: Path) -> list[float]:
    with path.open(encoding="utf-8", newline="") as file:
        return [float(row["Predictions"]) for row in csv.DictReader(file)]


def ask_server(models: Path, rows: Path, outcomes: list[Outcome], progress: Progress) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folders = [str(models / outcome.model.name) for outcome in outcomes]
    server = subprocess.Popen([*POLYHOST, "serve", *folders, "--port", str(port)])
    try:
        url = f"http://127.0.0.1:{port}"
        wait_ready(server, url, progress)
        progress("posting the rows to each model over HTTP")
        for outcome in outcomes:
            post(url, rows, outcome)
    finally:
        server.terminate()
        server.wait()


def wait_ready(server: subprocess.Popen[bytes], url: str, progress: Progress) -> None:
    until = time.monotonic() + READY_WITHIN
    while time.monotonic() < until and server.poll() is None:
        try:
            with LOCAL.open(f"{url}/health/", timeout=5):
                return
        except urllib.error.HTTPError as error:
            states = json.loads(error.read()).get("models", {})
            waiting = [name for name, state in states.items() if state == "loading"]
            failed = [name for name, state in states.items() if state == "failed"]
            if failed and not waiting:
                raise SystemExit(f"not served: {', '.join(failed)}") from error
            progress(f"loading {', '.join(waiting)}", advance=False)
        except OSError:
            progress("waiting for the server", advance=False)
        time.sleep(0.1)
    raise SystemExit(f"the server at {url} was not ready in time")


def post(url: str, rows: Path, outcome: Outcome) -> None:
    request = urllib.request.Request(
        f"{url}/models/{outcome.model.name}/predict/",
        data=rows.read_bytes(),
        headers={"Content-Type": "text/csv"},
    )
    started = time.perf_counter()
    with LOCAL.open(request, timeout=60) as reply:
        answer = json.load(reply)
    outcome.seconds["http"] = time.perf_counter() - started
    outcome.answers["http"] = answer["predictions"]


def print_table(outcomes: list[Outcome]) -> None:
    lines = [("model", "language", "what it is", "rows", "agreement", "command", "HTTP")]
    for outcome in outcomes:
        rows = len(outcome.native)
        agree = min(outcome.agreeing(way) for way in outcome.answers)
        lines.append(
            (
                outcome.model.name,
                outcome.model.language,
                outcome.model.kind,
                str(rows),
                f"{100 * agree / rows:.0f} %" + ("" if outcome.good else "  WRONG"),
                f"{outcome.seconds['command']:.2f} s",
                f"{1000 * outcome.seconds['http']:.1f} ms",
            )
        )
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        print(
            "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        )
    good = sum(outcome.good for outcome in outcomes)
    print(
        f"\n{good} of {len(outcomes)} models answer as their own tool does, from the command line "
        "and over HTTP."
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
