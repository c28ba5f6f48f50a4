from __future__ import annotations

import pytest

from polyhost.errors import SettingsError
from polyhost.settings import ServerSettings, Setting, Source, agree

FLAG = Setting("binary", Source.FLAG, "--target-type")
NOTED = Setting("regression", Source.METADATA, "targetType")


def test_a_default_gives_way_to_what_was_given():
    assert agree(Setting(None), NOTED, "") == NOTED
    assert agree(FLAG, Setting(None), "") == FLAG


def test_two_that_are_equal_agree():
    same = Setting("binary", Source.METADATA, "targetType")
    assert agree(FLAG, same, "") == FLAG


def test_two_that_differ_are_named_with_their_source():
    with pytest.raises(SettingsError) as raised:
        agree(FLAG, NOTED, "The two differ")
    assert raised.value.message == (
        "The two differ. Use either one of them or make them match. "
        "Found --target-type ('binary') and targetType ('regression')."
    )


def test_a_server_knows_where_its_values_came_from():
    settings = ServerSettings(port=5000, sources={"port": Source.ENVIRONMENT})
    assert settings.source("port") is Source.ENVIRONMENT
    assert settings.source("address_host") is Source.DEFAULT
