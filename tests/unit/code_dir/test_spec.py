from __future__ import annotations

import pytest

from polyhost.code_dir.metadata import FILE_NAME
from polyhost.code_dir.spec import resolve_target, spec_of
from polyhost.data.target import Target, TargetType
from polyhost.errors import SettingsError
from polyhost.predictor import ModelSpec
from polyhost.settings import Setting, Source, TargetSettings

DIFFER = (
    "labels provided with command arguments or environment variable don't match values from model "
    "config file. Use either one of them or make them match"
)


def flags(kind=None, *, binary=(), labels=(), name=None):
    def flag(value, spelling):
        return Setting(value, Source.FLAG if value else Source.DEFAULT, spelling)

    return TargetSettings(
        type=flag(kind, "--target-type"),
        binary_labels=flag(binary, "--positive-class-label"),
        class_labels=flag(labels, "--class-labels"),
        name=flag(name, "TARGET_NAME"),
    )


def metadata(folder, kind, *lines):
    from polyhost.code_dir.metadata import read

    body = "".join(f"  {line}\n" for line in lines)
    model = f"inferenceModel:\n{body}" if lines else ""
    text = f"name: m\ntype: inference\ntargetType: {kind}\n{model}"
    (folder / FILE_NAME).write_text(text, encoding="utf-8")
    return read(folder)


BINARY = ("positiveClassLabel: y", "negativeClassLabel: n")
CLASSES = ("classLabels:", "  - a", "  - b", "  - c")


def test_from_flags_alone():
    assert resolve_target(flags("regression"), None) == Target(TargetType.REGRESSION)
    assert resolve_target(flags("binary", binary=("y", "n")), None).labels == ("y", "n")
    assert resolve_target(flags("multiclass", labels=("b", "a")), None).labels == ("b", "a")


def test_from_metadata_alone(tmp_path):
    found = resolve_target(flags(), metadata(tmp_path, "binary", *BINARY))
    assert found == Target(TargetType.BINARY, ("y", "n"))
    found = resolve_target(flags(), metadata(tmp_path, "multiclass", *CLASSES))
    assert found == Target(TargetType.MULTICLASS, ("a", "b", "c"))


def test_the_operators_order_of_labels_wins(tmp_path):
    noted = metadata(tmp_path, "multiclass", *CLASSES)
    assert resolve_target(flags(labels=("c", "b", "a")), noted).labels == ("c", "b", "a")


def test_labels_of_other_types_are_ignored(tmp_path):
    assert resolve_target(flags("regression", labels=("a", "b")), None).labels == ()


@pytest.mark.parametrize(
    ("given", "kind", "lines", "says"),
    [
        (
            flags("regression"),
            "binary",
            BINARY,
            "Target type provided in --target-type argument doesn't match target type from model config "
            "file. Use either one of them or make them match",
        ),
        (flags(binary=("n", "y")), "binary", BINARY, f"Positive/negative class {DIFFER}"),
        (flags(labels=("a", "d")), "multiclass", CLASSES, f"Class {DIFFER}"),
        (flags(), "binary", (), "labels are missing"),
        (flags(), "sorting", (), "unknown target type 'sorting'"),
    ],
)
def test_conflicts_with_the_metadata(tmp_path, given, kind, lines, says):
    with pytest.raises(SettingsError, match=says):
        resolve_target(given, metadata(tmp_path, kind, *lines))


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (flags(), "Target type is missing. .* Expected one of binary, regression"),
        (flags("sorting"), "unknown target type 'sorting'"),
        (
            flags("binary"),
            "Positive/negative class labels are missing. They must be provided with either one: "
            "--positive-class-label/--negative-class-label arguments, environment variables, model "
            "config file",
        ),
        (flags("binary", binary=("a", "a")), "found more than once: a"),
        (
            flags("multiclass"),
            "Class labels are missing. They must be provided with either one: "
            "--class-labels/--class-labels-file arguments, environment variables, model config",
        ),
        (flags("multiclass", labels=("a",)), "at least two class labels; found 1"),
        (flags("multiclass", labels=("a", "a", "b")), "found more than once: a"),
        (flags("textgeneration"), "Set the environment variable TARGET_NAME"),
    ],
)
def test_what_is_missing(given, says):
    with pytest.raises(SettingsError, match=says):
        resolve_target(given, None)


def test_the_name_of_a_text_models_column(tmp_path):
    noted = metadata(tmp_path, "textgeneration", "targetName: noted")
    assert resolve_target(flags("textgeneration", name="said"), noted).name == "said"
    assert resolve_target(flags("textgeneration"), noted).name == "noted"


def test_the_spec_of_a_folder(tmp_path):
    (tmp_path / "custom.py").write_text("", encoding="utf-8")
    (tmp_path / "model.pkl").write_bytes(b"")
    noted = metadata(tmp_path, "regression")
    assert spec_of(tmp_path, flags(), options={"strict_rows": True}) == ModelSpec(
        code_dir=tmp_path,
        language="python",
        target=Target(TargetType.REGRESSION),
        custom_file=tmp_path / "custom.py",
        artifacts=(tmp_path / "model.pkl",),
        options={"metadata": dict(noted.document), "strict_rows": True},
    )
