"""``polyhost models`` against a running server."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from support.command import Command
from support.served import Served

Serve = Callable[..., Served]
Model = Callable[..., Path]
METADATA = "name: m\ntype: inference\ntargetType: regression\n"
TEXT = """
import pandas as pd
def load_model(code_dir):
    return 1
def score(data, model, **kwargs):
    return pd.DataFrame({"Predictions": data["a"].astype(float)})
"""


def test_list_load_scale_unload(
    serve: Serve, model: Model, polyhost: Command, tmp_path: Path
) -> None:
    first, second = model(TEXT, "first", METADATA), model(TEXT, "second", METADATA)
    config = tmp_path / "polyhost.yaml"
    settings = {
        "models": {"first": {"path": str(first)}},
        "admin": {"enabled": True, "roots": [str(tmp_path)]},
        "store": {"path": str(tmp_path / "store")},
    }
    config.write_text(json.dumps(settings), encoding="utf-8")
    served = serve("--config", config)
    url = ["--url", f"http://127.0.0.1:{served.port}"]

    loaded = polyhost("models", "load", "second", second, "--set", "limits.deadline=5", *url)
    assert loaded.code == 0, loaded.err
    assert json.loads(loaded.out)["state"] == "ready"
    scaled = polyhost("models", "scale", "second", "2", *url)
    assert json.loads(scaled.out)["ready"] == 2
    listed = polyhost("models", "list", *url)
    assert [line.split()[:3] for line in listed.out.splitlines()[1:]] == [
        ["first", "1", "ready"],
        ["second", json.loads(loaded.out)["version"], "ready"],
    ]
    assert polyhost("models", "unload", "second", *url).code == 0
    wrong = polyhost("models", "load", "second", "/etc", *url)
    assert (wrong.code, "may not be loaded" in wrong.err) == (1, True)


def test_a_server_without_the_admin_api_is_told_of(
    serve: Serve, model: Model, polyhost: Command
) -> None:
    served = serve(model(TEXT, "first", METADATA))
    done = polyhost("models", "list", "--url", f"http://127.0.0.1:{served.port}")
    assert done.code == 1
    assert "not enabled" in done.err
