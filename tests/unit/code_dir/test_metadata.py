from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyhost.code_dir.metadata import FILE_NAME, SCHEMA, Metadata, read
from polyhost.code_dir.strict_yaml import read_strictly
from polyhost.errors import SettingsError

HEAD = "name: m\ntype: inference\n"


def write(folder: Path, text: str) -> Path:
    (folder / FILE_NAME).write_text(text, encoding="utf-8")
    return folder


def test_no_file_is_no_metadata(tmp_path):
    assert read(tmp_path) is None


def test_the_target_type_is_enough(tmp_path):
    found = read(write(tmp_path, "targetType: regression\n"))
    assert found is not None
    assert (found.target_type, found.is_inference, found.target_name) == ("regression", True, None)
    found = read(write(tmp_path, "\ufefftargetType: multiclass\n"))  # as some editors save it
    assert found is not None
    assert (found.class_labels(), found.binary_labels()) == ((), ())  # flags may have them


def test_lists_and_maps_in_brackets(tmp_path):
    text = "targetType: multiclass\ninferenceModel: {classLabels: [yes, 'b, c', 10]}\n"
    found = read(write(tmp_path, text))
    assert found is not None
    assert found.class_labels() == ("yes", "b, c", "10")


@given(st.text(st.characters(codec="utf-8")) | st.text("ab:[]{}-,'\"#&*!|>? \n\t1."))
def test_any_text_is_read_or_refused_with_a_line(text):
    try:
        place = f"{read_strictly(text, SCHEMA, Path(FILE_NAME))}"
    except SettingsError as error:
        place = error.message.partition(": ")[0]
    assert place.startswith((f"{FILE_NAME}, line ", "{"))


def test_every_scalar_is_text_unless_typed(tmp_path):
    write(
        tmp_path,
        "name: 12\n"
        "type: inference\n"
        "targetType: binary\n"
        "majorVersion: true\n"
        "inferenceModel:\n"
        "  positiveClassLabel: yes\n"
        "  negativeClassLabel: '0'\n"
        "  predictionThreshold: 1\n"
        "customPredictor:\n"
        "  anything:\n"
        "    - 1\n"
        "    - deep: 2.5\n",
    )
    assert read(tmp_path) == Metadata(
        tmp_path / FILE_NAME,
        {
            "name": "12",
            "type": "inference",
            "targetType": "binary",
            "majorVersion": True,
            "inferenceModel": {
                "positiveClassLabel": "yes",
                "negativeClassLabel": "0",
                "predictionThreshold": 1,
            },
            "customPredictor": {"anything": ["1", {"deep": "2.5"}]},
        },
    )


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("", 1, "the file is empty; it needs targetType"),
        ("# only this\n", 1, "the file is empty"),
        ("- a\n", 1, "the file must be a map; found list"),
        (HEAD, 1, "required key(s) 'targetType' not found in the file"),
        (HEAD + "targetType: binary\ncolour: red\n", 4, "unknown key 'colour' in the file"),
        (HEAD + "name: again\n", 3, "'name' is in the file twice, first in line 1. Keep one"),
        (HEAD + "targetType: [binary]\n", 3, "targetType must be text; found a list"),
        (HEAD + "targetType: {{ kind }}\n", 3, "targetType must be text; found a map"),
        (
            HEAD + "inferenceModel: {classLabels: [a, [b]]}\n",
            3,
            "item 2 of classLabels must be text",
        ),
        (HEAD + "targetType: [binary\n", 4, "this is not YAML"),
        ("[" * 100_000, 1, "the text is nested too deep"),
        (HEAD + "targetType: &x binary\n", 3, "YAML's anchor is not allowed"),
        (HEAD + "targetType: !!str binary\n", 3, "YAML's tag is not allowed"),
        (HEAD + "targetType:\n  - binary\n", 4, "targetType must be text; found a list"),
        (HEAD + "targetType: binary\ninferenceModel: x\n", 4, "must be a map; found text"),
        (
            HEAD + "targetType: binary\ninferenceModel:\n  label: x\n",
            5,
            "unknown key 'label' in inferenceModel",
        ),
        (
            HEAD + "targetType: binary\ninferenceModel:\n  predictionThreshold: 0.5\n",
            5,
            "predictionThreshold must be a whole number; found '0.5'",
        ),
        (HEAD + "majorVersion: perhaps\n", 3, "majorVersion must be true or false"),
        (HEAD + "inputSchema:\n  type: array\n", 4, "type must be object; found 'array'"),
        (HEAD + "targetType: 'binary\n", 4, "found unexpected end of stream"),
    ],
)
def test_a_mistake_is_told_with_its_line(tmp_path, text, line, says):
    with pytest.raises(SettingsError) as raised:
        read(write(tmp_path, text))
    assert raised.value.message.startswith(f"{tmp_path / FILE_NAME}, line {line}: ")
    assert says in raised.value.message
    assert raised.value.line == line


def inference(folder: Path, kind: str, *lines: str) -> Metadata:
    body = "".join(f"  {line}\n" for line in lines)
    model = f"inferenceModel:\n{body}" if lines else ""
    found = read(write(folder, f"{HEAD}targetType: {kind}\n{model}"))
    assert found is not None
    return found


def test_binary_labels(tmp_path):
    found = inference(tmp_path, "binary", "positiveClassLabel: 1", "negativeClassLabel: 0")
    assert found.binary_labels() == ("1", "0")


def test_binary_labels_that_are_missing(tmp_path):
    with pytest.raises(SettingsError, match="missing: negativeClassLabel"):
        inference(tmp_path, "binary", "positiveClassLabel: 1").binary_labels()


def test_class_labels(tmp_path):
    found = inference(tmp_path, "multiclass", "classLabels:", "  - b", "  - a")
    assert found.class_labels() == ("b", "a")


def test_class_labels_in_a_file_where_we_run_or_in_the_code_dir(tmp_path, monkeypatch):
    code_dir = tmp_path / "code"
    code_dir.mkdir()
    (code_dir / "labels.txt").write_text("a\n\nb c\n", encoding="utf-8")
    found = inference(code_dir, "multiclass", "classLabelsFile: labels.txt")
    assert found.class_labels() == ("a", "b c")
    (tmp_path / "labels.txt").write_text("x\r\ny\r\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert found.class_labels() == ("x", "y")


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        (("classLabels:", "  - a", "  - b", "classLabelsFile: f"), "found both"),
        (("classLabelsFile: nowhere.txt",), "no classLabelsFile 'nowhere.txt'"),
    ],
)
def test_class_labels_that_cannot_be_told(tmp_path, lines, says):
    with pytest.raises(SettingsError, match=says):
        inference(tmp_path, "multiclass", *lines).class_labels()
