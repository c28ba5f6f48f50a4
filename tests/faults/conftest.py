"""One server a language for the whole folder: starting runtimes is what costs time."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from faults.town import Left, Town

from polyhost.bridges import BRIDGES

LANGUAGES = [pytest.param(name, marks=pytest.mark.runtime(name)) for name in BRIDGES]
TWO = "python on two fronts"
TWO_FRONTS = pytest.param(TWO, marks=pytest.mark.runtime("python"), id="two-fronts")


@pytest.fixture(scope="module", params=[*LANGUAGES, TWO_FRONTS])
def town(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Town]:
    """A server with one language's models, shared by a module's tests; in one, two fronts."""
    language, fronts = ("python", 2) if request.param == TWO else (request.param, 1)
    town = Town.start(language, tmp_path_factory.mktemp(f"town-{language}"), fronts)
    yield town
    town.served.stop()


@pytest.fixture(scope="module")
def at_first(town: Town) -> tuple[Left, int]:
    """What the server had before the first fault."""
    assert town.answers("obeys")
    assert town.answers("shares")
    return town.left(), town.threads()


@pytest.fixture
def calm(town: Town, at_first: tuple[Left, int]) -> Iterator[Town]:
    """The town, whose other models must see no error while the test runs."""
    with town.watched():
        yield town
