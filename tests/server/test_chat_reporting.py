"""Conversations under ``--monitor``: what ``polyhost reports`` prints of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

CHAT = """
def load_model(code_dir):
    return 1

def chat(params, model):
    text = params["messages"][-1]["content"]
    if text == "raise":
        raise ValueError("cannot talk")
    if params.get("stream"):
        return chunks(text)
    message = {"role": "assistant", "content": text.upper()}
    return {"object": "chat.completion", "choices": [{"message": message}]}

def chunks(text):
    for letter in text:
        yield {"object": "chat.completion.chunk", "choices": [{"delta": {"content": letter}}]}
"""


def test_they_are_kept(serve: Any, polyhost: Any, tmp_path: Path) -> None:
    code, reports = tmp_path / "model", tmp_path / "reports"
    code.mkdir()
    (code / "custom.py").write_text(CHAT, encoding="utf-8")
    server = serve(
        *("-cd", code, "--target-type", "textgeneration", "--monitor"),
        *(
            "--deployment-id",
            "d1",
            "--model-id",
            "m1",
            "--monitor-settings",
            f"directory={reports}",
        ),
        command="server",
        env={"TARGET_NAME": "answer"},
    )
    statuses = [
        server.client.post(
            "/v1/chat/completions",
            json={
                "messages": [{"role": "user", "content": text}],
                "datarobot_association_id": id,
                **more,
            },
        ).status_code
        for text, id, more in (
            ("hello", "a-1", {}),
            ("streamed", "a-2", {"stream": True}),
            ("raise", "a-3", {}),
        )
    ]
    assert statuses == [200, 200, 500]
    server.stop()
    done = polyhost("reports", "--folder", reports)
    lines = done.out.splitlines()
    who = '{deployment="d1",model="m1"}'
    assert f"polyhost_reported_predictions_total{who} 2" in lines
    rows = [line.split()[2:] for line in lines[-2:]]
    assert rows == [["d1", "HELLO", "a-1", "hello"], ["d1", "streamed", "a-2", "streamed"]]
