"""No silent gaps: a scenario without a folder for a language is declared, and the reverse."""

from __future__ import annotations

from conformance.gaps import GAPS
from conformance.scenarios import BUILTIN, MODELS, SCENARIOS, folders_without_gap

from polyhost.bridges import BRIDGES


def test_every_scenario_has_a_folder_in_every_language_or_a_gap():
    wanted = {(name, language) for name in SCENARIOS for language in BRIDGES}
    missing = wanted - folders_without_gap() - set(GAPS)
    assert not missing, f"write these, or declare them in gaps.py: {sorted(missing)}"


def test_every_gap_is_of_a_scenario_that_exists():
    known = {(name, language) for name in (*SCENARIOS, *BUILTIN) for language in BRIDGES}
    assert set(GAPS) <= known


def test_every_folder_is_a_scenario():
    folders = {path.name for path in MODELS.iterdir() if path.is_dir()} - {"builtin"}
    assert folders <= set(SCENARIOS)


def test_every_language_makes_its_builtin_models():
    for language in BRIDGES:
        makers = list((MODELS / "builtin" / language).glob("make.*"))
        assert makers, f"no make.* in tests/models/builtin/{language}"
