from __future__ import annotations

import pytest

from polyhost.cli.flags import _is_true
from polyhost.code_dir.strict_yaml import NodeKind, read_strictly
from polyhost.config import kinds
from polyhost.data.booleans import boolean
from polyhost.errors import SettingsError


@pytest.mark.parametrize(
    ("words", "value"),
    [
        (("t", "true", "True", "TRUE", "y", "yes", "on", "1", "1.0", " true "), True),
        (("f", "false", "False", "n", "no", "off", "0", "0.0"), False),
        (("", "2", "maybe", "truee", "none"), None),
    ],
)
def test_words_mean_the_same_everywhere(tmp_path, words, value):
    """In a variable, a metadata file and the configuration."""
    schema = NodeKind("map", keys={"a": NodeKind("bool")})
    for word in words:
        readers = [
            lambda word=word: kinds.SWITCH.parse(word, tmp_path),
            lambda word=word: read_strictly(f"a: '{word}'", schema, tmp_path)["a"],
        ]
        if word != "none":
            readers.append(lambda word=word: _is_true(word, "VARIABLE"))
        assert boolean(word) is value
        for read in readers:
            if value is None:
                with pytest.raises((ValueError, SettingsError)):
                    read()
            else:
                assert read() is value


def test_none_is_false_where_drum_says_so():
    assert boolean("None", none_is_false=True) is False
    assert _is_true("none", "VARIABLE") is False
