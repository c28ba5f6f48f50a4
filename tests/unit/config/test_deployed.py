"""Places named by settings of a deployment: whatever their spelling, they lie below the roots."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polyhost.config.deployed import load_model
from polyhost.errors import PolyhostError
from polyhost.settings import AdminSettings


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """Roots beside a folder with the same files, links between them, and a model."""
    top = tmp_path_factory.mktemp("place")
    for name in ("roots", "outside"):
        (top / name / "deep").mkdir(parents=True)
        for file in ("labels", "deep/labels"):
            (top / name / file).write_text("a\nb\nc\n")
            (top / name / file).chmod(0o755)
    (top / "roots" / "out").symlink_to(top / "outside")
    (top / "roots" / "in").symlink_to("deep")
    (top / "roots" / "one").symlink_to("../outside/labels")
    (top / "roots" / "round").symlink_to("round")
    (top / "outside" / "back").symlink_to("../roots")
    model = top / "roots" / "model"
    model.mkdir()
    (model / "custom.py").touch()
    (model / "model-metadata.yaml").write_text("targetType: multiclass\n")
    return top


words = st.sampled_from(
    ["..", ".", "", "~", "deep", "labels", "out", "in", "one", "round", "back", "roots", "outside"]
)


@settings(deadline=None, max_examples=300)
@given(parts=st.lists(words, max_size=6), start=st.sampled_from(["", "/", "TOP/", "TOP/roots/"]))
def test_no_spelling_leads_out(place, monkeypatch_module, parts, start):
    text = start.replace("TOP", str(place)) + "/".join(parts)
    roots = place / "roots"
    for name in ("target.class_labels_file", "env"):
        chosen = {name: text, "target.class_labels": ["a", "b"]} if name == "env" else {name: text}
        try:
            hosted = load_model(
                "m",
                roots / "model",
                chosen,
                replicas=1,
                version="1",
                admin=AdminSettings(True, (roots,)),
                layers={},
            )
        except PolyhostError:
            continue
        if hosted.python is None and name == "env":
            assert text == "~"  # YAML's word for none
        elif name == "env":
            found = os.path.join(os.path.realpath(os.path.dirname(hosted.python)), "x")
            assert Path(found).is_relative_to(roots)
        else:
            found = os.path.realpath(roots / "model" / os.path.expanduser(text))
            assert Path(found).is_relative_to(roots)


@pytest.fixture(scope="module")
def monkeypatch_module(place):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(place / "outside"))
        yield patch


def test_some_spellings_are_taken(place):
    """Else the test above would hold of a loader that refuses everything."""
    roots = place / "roots"
    for text in (
        "../labels",
        f"{roots}/in/labels",
        f"{roots}/out/back/labels",
        "../deep/../labels",
    ):
        hosted = load_model(
            "m",
            roots / "model",
            {"target.class_labels_file": text},
            replicas=1,
            version="1",
            admin=AdminSettings(True, (roots,)),
            layers={},
        )
        assert hosted.spec.target.labels == ("a", "b", "c")
