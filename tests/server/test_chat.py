"""Chat completions over a real socket: by plain HTTP, and with OpenAI's own client."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from support.served import Served

MODEL = """
import os, pathlib, time
from openai.types import Model
from openai.types.chat import ChatCompletion, ChatCompletionChunk
import pandas as pd

def load_model(code_dir):
    return code_dir

def score(data, model, **kwargs):
    return pd.DataFrame({"answer": data["prompt"].str.upper()})

def score_unstructured(model, data, **kwargs):
    return data.upper()

def completion(text):
    message = {"role": "assistant", "content": text}
    return ChatCompletion.model_validate({
        "id": "one", "object": "chat.completion", "created": 1, "model": "m",
        "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3},
    })

def chunk(delta, finish=None):
    return ChatCompletionChunk.model_validate({
        "id": "one", "object": "chat.completion.chunk", "created": 1, "model": "m",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
    })

def words(text, model, breaks=False, slow=False):
    try:
        yield chunk({"role": "assistant", "content": ""})
        for word in text.split():
            yield chunk({"content": word + "\\n\\u2028"})
            while slow:
                time.sleep(0.02)
                yield chunk({"content": "again"})
        if breaks:
            raise RuntimeError("no more words")
        yield chunk({}, "stop")
    finally:
        pathlib.Path(os.environ["CLOSED"]).write_text("closed")

class CustomHTTPError(Exception):
    status_code = 418

def chat(completion_create_params, model, **kwargs):
    what = completion_create_params.get("what")
    text = completion_create_params["messages"][-1]["content"]
    if what == "params":
        return completion(repr(sorted(completion_create_params)))
    if what == "header":
        return completion(kwargs["headers"]["X-Who"])
    if what == "raise":
        raise ValueError("cannot talk")
    if what == "status":
        raise CustomHTTPError("I am a teapot")
    if what == "none":
        return None
    if what == "strings":
        return ["a", "b"]
    if what == "empty":
        return []
    if what == "dict":
        return {"object": "chat.completion", "z": 1, "a": float("nan")}
    if what in ("breaks", "slow") or completion_create_params.get("stream"):
        return words(text, model, what == "breaks", what == "slow")
    return completion(text.upper())

def get_supported_llm_models(model):
    return [Model(id="small", object="model", created=1, owned_by="us"), "nothing"]
"""
PLAIN = """
import pandas as pd

def load_model(code_dir):
    return 1

def score(data, model, **kwargs):
    return pd.DataFrame({"Predictions": data.iloc[:, 0]})
"""
STALLS = """
import time

def load_model(code_dir):
    return 1

def chat(params, model):
    for pause in params["pauses"]:
        yield {"object": "chat.completion.chunk", "choices": []}
        time.sleep(pause)
"""
ONLY_CHAT = """
def load_model(code_dir):
    return "model"

def chat(params, model):
    return {"object": "chat.completion", "choices": []}
"""
HELLO = [{"role": "user", "content": "hello big world"}]


def start(folder: Path, hooks: str, *arguments: object, **env: str) -> Served:
    code = folder / "model"
    code.mkdir()
    (code / "custom.py").write_text(hooks, encoding="utf-8")
    run = folder / "run"
    run.mkdir()
    return Served.start(run, "--code-dir", code, *arguments, command="server", env=env)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("chat")


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Served]:
    closed = str(folder / "closed")
    kind = ("--target-type", "textgeneration")
    served = start(folder, MODEL, *kind, TARGET_NAME="answer", CLOSED=closed)
    yield served
    served.stop()


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    served = start(tmp_path_factory.mktemp("plain"), PLAIN, "--target-type", "regression")
    yield served
    served.stop()


@pytest.fixture(scope="module")
def client(server: Served) -> Iterator[openai.OpenAI]:
    url = f"http://127.0.0.1:{server.port}/v1"
    http = httpx.Client(trust_env=False)
    with openai.OpenAI(base_url=url, api_key="anything", http_client=http) as found:
        yield found


def ask(server: Served, path: str = "/chat/completions", **body: Any) -> httpx.Response:
    return server.client.post(path, json={"model": "m", "messages": HELLO, **body})


# With OpenAI's client


def test_completion(client: openai.OpenAI) -> None:
    found = client.chat.completions.create(model="m", messages=HELLO)
    assert found.choices[0].message.content == "HELLO BIG WORLD"
    assert found.usage is not None
    assert found.usage.total_tokens == 3


def test_stream(client: openai.OpenAI) -> None:
    chunks = list(client.chat.completions.create(model="m", messages=HELLO, stream=True))
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert text == "hello\n\u2028big\n\u2028world\n\u2028"
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert len({chunk.datarobot_association_id for chunk in chunks}) == 1


def test_unknown_keys_reach_the_hook_and_none_is_made_up(client: openai.OpenAI) -> None:
    extra = {"what": "params", "datarobot_association_id": "mine"}
    found = client.chat.completions.create(model="m", messages=HELLO, extra_body=extra)
    keys = ["datarobot_association_id", "messages", "model", "what"]
    assert found.choices[0].message.content == repr(keys)
    assert found.datarobot_association_id == "mine"


def test_a_failing_hook_is_run_once(client: openai.OpenAI, server: Served) -> None:
    with pytest.raises(openai.InternalServerError, match="cannot talk"):
        client.chat.completions.create(model="m", messages=HELLO, extra_body={"what": "raise"})
    reply = ask(server, what="raise")
    assert (reply.status_code, reply.headers["x-should-retry"]) == (500, "false")
    assert reply.json()["message"].startswith("ERROR: ")


def test_a_stream_that_breaks_off_is_an_error(client: openai.OpenAI) -> None:
    stream = client.chat.completions.create(
        model="m", messages=HELLO, stream=True, extra_body={"what": "breaks"}
    )
    with pytest.raises(openai.APIError, match="no more words"):
        list(stream)


def test_models(client: openai.OpenAI) -> None:
    assert [model.id for model in client.models.list()] == ["small"]


# By plain HTTP


@pytest.mark.parametrize("path", ["/chat/completions", "/v1/chat/completions"])
def test_routes_take_no_slash_at_the_end(server: Served, path: str) -> None:
    assert ask(server, path).status_code == 200
    assert ask(server, path + "/").status_code == 404
    assert server.client.get(path).status_code == 405


def test_completion_as_it_is_written(server: Served) -> None:
    reply = ask(server, what="dict", datarobot_association_id="x")
    expected = b'{"a":null,"datarobot_association_id":"x","object":"chat.completion","z":1}\n'
    assert (reply.content, reply.headers["content-type"]) == (expected, "application/json")
    assert reply.headers["X_Request_ID"]
    assert reply.headers["X-Drum-Version"]


def test_stream_as_it_is_written(server: Served) -> None:
    reply = ask(server, stream=True)
    assert reply.headers["content-type"].startswith("text/event-stream")
    assert reply.headers["cache-control"] == "no-cache"
    assert "content-length" not in reply.headers
    *events, done, rest = reply.content.split(b"\n\n")
    assert (done, rest) == (b"data: [DONE]", b"")
    assert all(event.startswith(b"data: {") and b"\n" not in event for event in events)
    first = json.loads(events[0][6:])
    assert first["object"] == "chat.completion.chunk"
    assert first["datarobot_association_id"]


def test_the_hook_decides_whether_it_streams(server: Served) -> None:
    assert ask(server, what="dict", stream=True).headers["content-type"] == "application/json"
    assert ask(server, what="empty").content == b"data: [DONE]\n\n"


def test_a_broken_stream_ends_without_done(server: Served) -> None:
    last = ask(server, what="breaks").content.split(b"\n\n")[-2]
    error = json.loads(last[6:])["error"]
    assert "no more words" in error["message"]
    assert error["type"] == "server_error"


def test_a_client_that_leaves_closes_the_hooks_generator(server: Served, folder: Path) -> None:
    closed = folder / "closed"
    closed.unlink(missing_ok=True)
    body = {"messages": HELLO, "what": "slow"}
    with server.client.stream("POST", "/chat/completions", json=body) as reply:
        next(reply.iter_bytes())
    until = time.monotonic() + 20
    while not closed.exists():
        assert time.monotonic() < until
        time.sleep(0.02)


def test_headers_reach_a_hook_that_takes_more(server: Served) -> None:
    body = {"messages": HELLO, "what": "header"}
    reply = server.client.post("/chat/completions", json=body, headers={"x-who": "me"})
    assert reply.json()["choices"][0]["message"]["content"] == "me"


@pytest.mark.parametrize("what", ["none", "strings"])
def test_a_wrong_result_is_the_models_fault(server: Served, what: str) -> None:
    reply = ask(server, what=what)
    assert reply.status_code == 500
    assert "chat.completion" in reply.json()["message"]


def test_a_status_of_the_hooks_own(server: Served) -> None:
    reply = ask(server, what="status")
    assert (reply.status_code, reply.json()["message"]) == (418, "I am a teapot")
    assert reply.headers["X-DRUM-User-HTTP-Error"] == "true"


@pytest.mark.parametrize(("body", "said"), [("{", "not valid JSON"), ("[1]", "no JSON object")])
def test_bodies_that_cannot_be_used(server: Served, body: str, said: str) -> None:
    reply = server.post("/chat/completions", body, "application/json")
    assert reply.status_code == 400
    assert said in reply.json()["error"]["message"]
    assert reply.json()["error"]["type"] == "invalid_request_error"


def test_another_content_type_is_500_as_in_drum(server: Served) -> None:
    reply = server.post("/chat/completions", json.dumps({"messages": HELLO}), "text/plain")
    assert reply.status_code == 500


def test_capabilities_tell_of_chat(server: Served, plain: Served) -> None:
    for served, chats in ((server, True), (plain, False)):
        body = served.client.get("/capabilities/").json()
        assert body["supported_methods"] == {"chat": chats}
        assert body["supported_payload_formats"].keys() >= {"csv", "mtx"}


def test_a_model_list_for_every_protocol(server: Served, plain: Served) -> None:
    small = {"id": "small", "object": "model", "created": 1, "owned_by": "us"}
    found = server.client.get("/v1/models")
    assert found.json() == {"object": "list", "data": [small], "models": ["model"]}
    found = server.client.get("/models")
    assert found.json()["data"] == [small]
    assert [m["modelName"] for m in found.json()["models"]] == ["model"]
    assert server.client.get("/models/").status_code == 404
    assert plain.client.get("/models").json()["data"] == []


def test_chat_without_a_hook(plain: Served) -> None:
    reply = ask(plain)
    assert reply.status_code == 404
    assert "chat is not supported" in reply.json()["message"]
    assert reply.json()["error"]["message"]


def test_text_generation_answers_rows_and_texts(server: Served) -> None:
    reply = server.post("/predict/", "prompt\nhi\nyou\n")
    assert (reply.status_code, reply.json()) == (200, {"predictions": ["HI", "YOU"]})
    reply = server.post("/predictUnstructured/", "hi", "text/plain")
    assert (reply.status_code, reply.text) == (200, "HI")


def test_a_model_with_chat_alone(tmp_path: Path) -> None:
    """It starts, and only rows fail; the list of models is what LLM_ID says."""
    llm = json.dumps({"type": "string", "payload": "big"})
    kind = ("--target-type", "textgeneration")
    served = start(tmp_path, ONLY_CHAT, *kind, TARGET_NAME="answer", MLOPS_RUNTIME_PARAM_LLM_ID=llm)
    try:
        assert ask(served).json()["choices"] == []
        reply = served.post("/predict/", "prompt\nhi\n")
        assert (reply.status_code, "score" in reply.json()["message"]) == (500, True)
        big = {"id": "big", "object": "model", "created": 1735689600, "owned_by": "DataRobot"}
        assert served.client.get("/models").json()["data"] == [big]
    finally:
        served.stop()


def test_a_stream_has_the_deadline_for_each_chunk(tmp_path: Path) -> None:
    timeout = json.dumps({"type": "numeric", "payload": 1})
    served = start(
        *(tmp_path, STALLS, "--target-type", "regression"),
        MLOPS_RUNTIME_PARAM_DRUM_CLIENT_REQUEST_TIMEOUT=timeout,
    )
    try:
        reply = ask(served, pauses=[0.4] * 5)
        assert reply.content.count(b"chat.completion.chunk") == 5
        assert reply.content.endswith(b"data: [DONE]\n\n")
        reply = ask(served, pauses=[0, 60])
        assert reply.content.count(b"chat.completion.chunk") == 2
        assert "deadline" in json.loads(reply.content.split(b"\n\n")[-2][6:])["error"]["message"]
        assert ask(served, pauses=[0]).content.endswith(b"data: [DONE]\n\n")
    finally:
        served.stop()


def test_serve_lists_its_models_and_wants_messages(tmp_path: Path) -> None:
    sources = []
    for name, hooks in (("talks", ONLY_CHAT), ("counts", PLAIN)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "custom.py").write_text(hooks, encoding="utf-8")
        metadata = f"name: {name}\ntargetType: regression\ntype: inference\n"
        (tmp_path / name / "model-metadata.yaml").write_text(metadata, encoding="utf-8")
        sources.append(tmp_path / name)
    served = Served.start(tmp_path, *sources)
    try:
        found = served.client.get("/v1/models").json()
        assert found["models"] == ["talks", "counts"]
        assert [model["id"] for model in found["data"]] == ["talks"]
        path = "/models/talks/v1/chat/completions"
        assert ask(served, path).json()["choices"] == []
        assert ask(served, path, messages=[]).status_code == 400
        assert served.post(path, "{}", "text/plain").status_code == 415
    finally:
        served.stop()
