"""The page for those who come from DRUM, against the parsers and a running server."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from polyhost.cli.flags import FLAGS
from polyhost.cli.main import build_parser

PAGE = Path(__file__).resolve().parents[2] / "docs" / "coming-from-drum.md"
TEXT = PAGE.read_text(encoding="utf-8")
COMMANDS = (
    *("score", "server", "validation", "perf-test", "fit", "new", "push"),
    "install-drum-command",
)
VERDICTS = {"same", "better", "differs", "refused"}
DOCUMENTS = "/openapi.json"
CUSTOM = """
import pandas as pd

def load_model(code_dir):
    return 2.0

def score(data, model, **kwargs):
    return pd.DataFrame({"Predictions": data["a"] * model})
"""


def rows(section: str) -> dict[str, tuple[str, str]]:
    """Verdict and notes by what is in the first column of a section's table."""
    part = TEXT.split(f"\n## {section}\n")[1].split("\n## ")[0]
    lines = re.findall(r"^\| `([^`]+)` \| (.*?) \| ?(.*?) ?\|$", part, re.MULTILINE)
    assert len(lines) == len({name for name, _, _ in lines}), "a row twice"
    return {name: (verdict, notes) for name, verdict, notes in lines}


def parsers(parser: argparse.ArgumentParser) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """Every command that has none below it, by its name."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, child in action.choices.items():
                below = list(parsers(child))
                yield from [(f"{name} {n}", p) for n, p in below] or [(name, child)]


OURS = {n: p for n, p in parsers(build_parser()) if n.split()[0] in COMMANDS}


@pytest.mark.parametrize("section", ["Commands", "Flags", "Routes"])
def test_every_verdict_is_a_known_one(section):
    found = rows(section)
    assert found
    assert {verdict for verdict, _ in found.values()} <= VERDICTS
    unexplained = [name for name, said in found.items() if said[0] != "same" and not said[1]]
    assert not unexplained


def test_every_command_is_there():
    assert set(rows("Commands")) == set(OURS)


def test_every_flag_is_there():
    flags = {
        name
        for parser in OURS.values()
        for action in parser._actions
        for name in action.option_strings
        if name.startswith("--") and name != "--help"
    }
    assert set(rows("Flags")) == flags


def test_the_flags_that_are_refused_are_those_that_the_page_says():
    refused = {flag.long for flag in FLAGS if flag.refused}
    assert {name for name, said in rows("Flags").items() if said[0] == "refused"} == refused


OTHER_PROTOCOLS = ("/v1/", "/v2", "/score", "/models", "/train")
"""Paths of protocols that DRUM does not speak: docs/protocols.md has those."""


def test_every_route_is_there(serve, tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "custom.py").write_text(CUSTOM, encoding="utf-8")
    server = serve("-cd", tmp_path / "model", "--target-type", "regression", command="server")
    found = rows("Routes")
    absent = set()
    for route in found:
        method, path = route.split()
        reply = server.client.request(method, path)
        html = reply.headers.get("content-type", "").startswith("text/html")
        if reply.status_code == 404 and html:
            absent.add(route)
    assert absent == {name for name, (verdict, _) in found.items() if verdict == "refused"}
    document = server.client.get(DOCUMENTS).json()
    served = {
        f"{method.upper()} {path}"
        for path, methods in document["paths"].items()
        for method in methods
        if not path.startswith(OTHER_PROTOCOLS)
    }
    assert served <= set(found)


def test_pages_that_are_linked_are_there():
    linked = re.findall(r"\]\(([^)]+\.md)\)", TEXT)
    assert linked
    assert not [name for name in linked if not (PAGE.parent / name).is_file()]
