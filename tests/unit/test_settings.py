from __future__ import annotations

import pytest

from polyhost.errors import SettingsError
from polyhost.settings import ServerSettings, Setting, Source, agree

FLAG = Setting("binary", Source.FLAG, "--target-type")
NOTED = Setting("regression", Source.METADATA, "targetType")


def test_a_default_gives_way_to_what_was_given():
    assert agree(Setting(None), NOTED, "target type") == NOTED
    assert agree(FLAG, Setting(None), "target type") == FLAG


def test_two_that_are_equal_agree():
    same = Setting("binary", Source.METADATA, "targetType")
    assert agree(FLAG, same, "target type") == FLAG


def test_two_that_differ_are_named_with_their_source():
    with pytest.raises(SettingsError) as raised:
        agree(FLAG, NOTED, "target type")
    assert raised.value.message == (
        "two values for the target type: --target-type ('binary') and targetType "
        "('regression'). Give one, or make them equal."
    )


def test_a_server_knows_where_its_values_came_from():
    settings = ServerSettings(port=5000, sources={"port": Source.ENVIRONMENT})
    assert settings.source("port") is Source.ENVIRONMENT
    assert settings.source("address_host") is Source.DEFAULT
