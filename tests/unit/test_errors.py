from __future__ import annotations

import pickle

from polyhost.errors import ModelError


def test_an_error_keeps_its_kind_and_facts_when_it_is_pickled():
    error = ModelError("it failed", language="r", hook="score")
    found = pickle.loads(pickle.dumps(error))
    assert type(found) is ModelError
    assert (str(found), found.facts) == ("it failed", {"language": "r", "hook": "score"})
