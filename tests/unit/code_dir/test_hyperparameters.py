from __future__ import annotations

import pytest

from polyhost.code_dir.hyperparameters import defaults
from polyhost.code_dir.metadata import FILE_NAME, read
from polyhost.errors import SettingsError

DOCUMENT = """\
name: m
type: training
targetType: binary
hyperparameters:
  - name: tol
    type: float
    min: 0
    max: 1
    default: 1e-4
  - name: depth
    type: int
    min: 2
    max: 9
  - name: solver
    type: string
  - name: penalty
    type: select
    values:
      - l2
      - l1
  - name: features
    type: multi
    values:
      select:
        values:
          - sqrt
      float:
        min: 0.25
        max: 1
  - name: bins
    type: multi
    values:
      int:
        min: 1
        max: 9
      select:
        values:
          - auto
    default: auto
"""


def test_defaults_have_their_types(tmp_path):
    (tmp_path / FILE_NAME).write_text(DOCUMENT)
    found = read(tmp_path).default_parameters()
    assert found == {
        "tol": 0.0001,
        "depth": 2,
        "solver": "",
        "penalty": "l2",
        "features": 0.25,
        "bins": "auto",
    }
    assert isinstance(found["depth"], int)
    assert isinstance(found["tol"], float)


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ("text", "expected a map with name and type"),
        ({"name": "n", "type": "int", "min": "1", "max": "0"}, "max must be greater than min"),
        (
            {"name": "n", "type": "int", "min": "1", "max": "3", "default": "4"},
            r"values must be between \[1, 3\]; found 4",
        ),
        ({"name": "n", "type": "float", "default": "much"}, "default of n is no float"),
        ({"name": "_n", "type": "string"}, "Invalid param name: _n"),
        ({"name": "n", "type": "date"}, "unknown type 'date'; expected int, float, string"),
        ({"name": "n", "type": "select"}, "a select without values"),
        (
            {"name": "n", "type": "multi", "values": {"text": {}}},
            "int, float or select; found text",
        ),
        (
            {"name": "n", "type": "multi", "values": {"int": {"min": "1", "max": "1"}}},
            "Invalid int parameter n__int: max must be",
        ),
    ],
)
def test_a_wrong_definition(entry, says):
    with pytest.raises(SettingsError, match=rf"item 2 of hyperparameters: .*{says}"):
        defaults([{"name": "first", "type": "string"}, entry])


def test_a_name_is_there_once():
    with pytest.raises(SettingsError, match="a is there twice"):
        defaults([{"name": "a", "type": "string"}, {"name": "a", "type": "int"}])


def test_the_file_is_named(tmp_path):
    path = tmp_path / FILE_NAME
    path.write_text(DOCUMENT.replace("max: 1\n    default: 1e-4", "max: 0"))
    with pytest.raises(SettingsError) as raised:
        read(tmp_path)
    assert raised.value.message == (
        f"{path}: item 1 of hyperparameters: Invalid float parameter tol: max must be greater "
        "than min."
    )
