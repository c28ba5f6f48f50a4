"""The scenarios of tests/models/README.md: what each is called with."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from polyhost.bridges import BRIDGES

MODELS = Path(__file__).resolve().parents[1] / "models"

CSV = 'a,b,name\n1,2,ann\n2,3,bob\n4,5,"c, d"\n'
"""The input of every hook scenario."""


@dataclass(frozen=True)
class Scenario:
    """A behaviour that a folder in every language shows."""

    name: str
    target: str = "regression"
    flags: tuple[str, ...] = ()
    target_name: str = ""

    def folder(self, language: str) -> Path:
        return MODELS / self.name / language

    @property
    def target_flags(self) -> list[str]:
        return ["--target-type", self.target, *self.flags]

    @property
    def environment(self) -> dict[str, str]:
        return {"TARGET_NAME": self.target_name} if self.target_name else {}


YES_NO = ("--positive-class-label", "yes", "--negative-class-label", "no")

SCENARIOS = {
    scenario.name: scenario
    for scenario in (
        Scenario("score_regression"),
        Scenario("score_binary", "binary", YES_NO),
        Scenario("score_multiclass", "multiclass", ("--class-labels", "x", "y", "z")),
        Scenario("all_hooks"),
        Scenario("extra_columns"),
        Scenario("unstructured", "unstructured"),
        Scenario("unstructured_told", "unstructured"),
        Scenario("transform", "transform"),
        Scenario("textgeneration", "textgeneration", target_name="completion"),
        Scenario("anomaly", "anomaly"),
        Scenario("multilabel", "multilabel", ("--class-labels", "x", "y", "z")),
        Scenario("geopoint", "geopoint"),
        Scenario("vectordatabase", "vectordatabase", target_name="relevant"),
        Scenario("agenticworkflow", "agenticworkflow", target_name="answer"),
        Scenario("extra_text", "vectordatabase", target_name='"relevant"'),
        Scenario("extra_classes", "binary", YES_NO),
        Scenario("one_probability", "binary", YES_NO),
        Scenario("prints"),
        Scenario("raises_in_score"),
        Scenario("returns_nothing"),
        Scenario("wrong_shape"),
        Scenario("wrong_labels", "binary", YES_NO),
        Scenario("wrong_row_count"),
        Scenario("exits_in_score"),
        Scenario("hangs_in_score"),
        Scenario("raises_in_load"),
        Scenario("load_returns_nothing"),
        Scenario("broken_custom"),
        Scenario("no_score"),
    )
}

BUILTIN = ("regression", "binary", "multiclass")
"""Scenarios whose artifact the language's own tool makes."""


ON_A_SERVER = (
    *("score_regression", "prints", "raises_in_score"),
    *("exits_in_score", "hangs_in_score", "raises_in_load"),
)
"""Scenarios that end processes, or whose process is what is seen."""


def folders_without_gap() -> set[tuple[str, str]]:
    """Every pair of scenario and language that there is a folder for."""
    return {
        (name, language)
        for name, scenario in SCENARIOS.items()
        for language in BRIDGES
        if scenario.folder(language).is_dir()
    }


METADATA = "name: {name}\ntype: inference\ntargetType: {target}\n{model}"
LABELS = {
    "binary": "inferenceModel:\n  positiveClassLabel: yes\n  negativeClassLabel: no\n",
    "multiclass": "inferenceModel:\n  classLabels:\n    - x\n    - y\n    - z\n",
    "multilabel": "inferenceModel:\n  classLabels:\n    - x\n    - y\n    - z\n",
    "textgeneration": "inferenceModel:\n  targetName: completion\n",
    "vectordatabase": "inferenceModel:\n  targetName: relevant\n",
    "agenticworkflow": "inferenceModel:\n  targetName: answer\n",
}


def with_metadata(scenario: Scenario, language: str, into: Path) -> Path:
    """A copy of a scenario's folder that says its own target type, so that many share a server."""
    folder = into / scenario.name
    shutil.copytree(scenario.folder(language), folder)
    model = LABELS.get(scenario.target, "")
    text = METADATA.format(name=scenario.name, target=scenario.target, model=model)
    (folder / "model-metadata.yaml").write_text(text, encoding="utf-8")
    return folder
