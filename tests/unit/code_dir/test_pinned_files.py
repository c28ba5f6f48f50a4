"""Pinned files: what is compared, and what is told."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

import pytest

from polyhost.code_dir import pinned_files
from polyhost.data.target import Target, TargetType
from polyhost.errors import DigestMismatch, SettingsError
from polyhost.predictor import ModelSpec


@pytest.fixture
def spec(tmp_path: Path) -> ModelSpec:
    (tmp_path / "custom.py").write_text("x = 1\n")
    (tmp_path / "model.pkl").write_bytes(bytes(range(256)) * 10_000)
    target = Target(TargetType.REGRESSION)
    return ModelSpec(tmp_path, "python", target, Path("custom.py"), (Path("model.pkl"),))


@pytest.fixture
def pinned(spec: ModelSpec) -> dict[str, str]:
    """What sha256sum says."""
    done = subprocess.run(
        ["sha256sum", "custom.py", "model.pkl"],
        cwd=spec.code_dir,
        capture_output=True,
        text=True,
        check=True,
    )
    return {line.split()[1]: line.split()[0] for line in done.stdout.splitlines()}


def test_files_that_are_as_they_were(spec: ModelSpec, pinned: dict[str, str]) -> None:
    pinned_files.check(spec, {})
    pinned_files.check(spec, pinned)
    pinned_files.check(spec, {f"./{name}": digest for name, digest in pinned.items()})


def test_a_changed_file_is_named_with_both_digests(spec: ModelSpec, pinned: dict[str, str]) -> None:
    (spec.code_dir / "model.pkl").write_bytes(b"other")
    with pytest.raises(DigestMismatch) as caught:
        pinned_files.check(spec, pinned)
    assert caught.value.facts == {
        "file": "model.pkl",
        "expected": pinned["model.pkl"],
        "found": hashlib.sha256(b"other").hexdigest(),
    }


def test_a_missing_file(spec: ModelSpec, pinned: dict[str, str]) -> None:
    with pytest.raises(DigestMismatch, match="found No such file or directory"):
        pinned_files.check(spec, {**pinned, "gone.csv": "0" * 64})


def test_what_would_be_loaded_has_to_be_pinned(spec: ModelSpec, pinned: dict[str, str]) -> None:
    del pinned["model.pkl"]
    with pytest.raises(DigestMismatch, match=r"model\.pkl in .* its digest is not pinned"):
        pinned_files.check(spec, pinned)


@pytest.mark.parametrize("name", ["../custom.py", "/etc/passwd", "a/../../b"])
def test_names_stay_in_the_folder(spec: ModelSpec, pinned: dict[str, str], name: str) -> None:
    with pytest.raises(SettingsError, match="expected paths below"):
        pinned_files.check(spec, {**pinned, name: "0" * 64})
