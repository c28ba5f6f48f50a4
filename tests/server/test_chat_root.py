"""Conversations with one of several models, named in the body: as OpenAI's own client has them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from support.served import Served

from polyhost.server.auth import digest_of

TALKS = """
def load_model(code_dir):
    return code_dir.rstrip("/").split("/")[-1]

def chat(params, model):
    text = f"{model} heard {len(params['messages'][-1]['content'])}"
    if params.get("stream"):
        return chunks(text)
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "finish_reason": "stop", "message": message}
    return {"id": "1", "object": "chat.completion", "created": 1, "model": params["model"],
            "choices": [choice]}

def chunks(text):
    for word in text.split():
        yield {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m",
               "choices": [{"index": 0, "finish_reason": None, "delta": {"content": word + " "}}]}
"""
LISTS = """
def get_supported_llm_models(model):
    return [{"id": "org/small", "object": "model", "created": 1, "owned_by": "us"}]
"""
PLAIN = """
import pandas as pd

def load_model(code_dir):
    return 1

def score(data, model, **kwargs):
    return pd.DataFrame({"Predictions": data.iloc[:, 0]})
"""
HELLO: list[Any] = [{"role": "user", "content": "hello"}]


def make(folder: Path) -> list[Path]:
    for name, hooks in (("ann", TALKS), ("bob", TALKS + LISTS), ("plain", PLAIN)):
        (folder / name).mkdir()
        (folder / name / "custom.py").write_text(hooks, encoding="utf-8")
        metadata = f"name: {name}\ntargetType: regression\ntype: inference\n"
        (folder / name / "model-metadata.yaml").write_text(metadata, encoding="utf-8")
    return [folder / "ann", folder / "bob", folder / "plain"]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("root")
    served = Served.start(folder, *make(folder))
    yield served
    served.stop()


def connected(server: Served, path: str = "", key: str = "anything") -> openai.OpenAI:
    http = httpx.Client(trust_env=False)
    url = f"http://127.0.0.1:{server.port}{path}/v1"
    return openai.OpenAI(base_url=url, api_key=key, http_client=http, max_retries=0)


@pytest.fixture(scope="module")
def client(server: Served) -> Iterator[openai.OpenAI]:
    with connected(server) as found:
        yield found


def said(client: openai.OpenAI, model: str, text: str = "hello") -> str | None:
    messages: list[Any] = [{"role": "user", "content": text}]
    found = client.chat.completions.create(model=model, messages=messages)
    return found.choices[0].message.content


def test_the_model_is_the_one_that_is_named(client: openai.OpenAI) -> None:
    assert said(client, "ann") == "ann heard 5"
    assert said(client, "bob") == "bob heard 5"


@pytest.mark.parametrize("size", [1 << 20, 3 << 20])
def test_a_large_body_reaches_it_whole(client: openai.OpenAI, size: int) -> None:
    assert said(client, "bob", "x" * size) == f"bob heard {size}"


def test_a_stream(client: openai.OpenAI) -> None:
    chunks = client.chat.completions.create(model="ann", messages=HELLO, stream=True)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "ann heard 5 "


def test_a_model_that_is_not_there(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match="no model 'eve'") as raised:
        said(client, "eve")
    assert raised.value.code == "model_not_found"


def test_a_model_that_does_not_talk(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match="chat is not supported"):
        said(client, "plain")


@pytest.mark.parametrize("body", ["{", "[]", "{}", '{"model": 1}'])
def test_a_body_that_names_none(server: Served, body: str) -> None:
    for path in ("/chat/completions", "/v1/chat/completions"):
        reply = server.post(path, body, "application/json")
        assert reply.status_code == 400
        assert reply.json()["error"]["type"] == "invalid_request_error"


def test_the_models(client: openai.OpenAI) -> None:
    assert [model.id for model in client.models.list()] == ["ann", "bob"]
    assert client.models.retrieve("ann").owned_by == "polyhost"
    with pytest.raises(openai.NotFoundError) as raised:
        client.models.retrieve("eve")
    assert raised.value.code == "model_not_found"


def test_a_model_for_kserves_clients_too(server: Served) -> None:
    assert server.client.get("/v1/models/plain").json() == {
        "created": 0,
        "id": "plain",
        "name": "plain",
        "object": "model",
        "owned_by": "polyhost",
        "ready": True,
    }
    assert server.client.head("/v1/models/plain").status_code == 200
    assert server.client.put("/v1/models/plain").status_code == 405


def test_the_models_that_one_model_lists(server: Served) -> None:
    with connected(server, "/models/bob") as client:
        assert [model.id for model in client.models.list()] == ["org/small"]
        assert client.models.retrieve("org/small").owned_by == "us"
        assert client.models.retrieve("bob").owned_by == "polyhost"
        with pytest.raises(openai.NotFoundError, match="no model 'org/big'"):
            client.models.retrieve("org/big")


def test_they_are_counted_for_the_model(server: Served, client: openai.OpenAI) -> None:
    def count() -> float:
        lines = server.client.get("/metrics").text.splitlines()
        own = [line for line in lines if 'model="ann"' in line and 'protocol="openai"' in line]
        counts = [line for line in own if "requests_total" in line or "_count" in line]
        return sum(float(line.split()[-1]) for line in counts)

    before = count()
    said(client, "ann")
    assert count() > before


def test_keys_open_their_models_only(tmp_path: Path) -> None:
    config = tmp_path / "polyhost.yaml"
    folders = make(tmp_path)
    said_of = {
        "models": {folder.name: {"path": str(folder)} for folder in folders[:2]},
        "keys": [{"name": "some", "sha256": digest_of("k"), "models": ["ann"]}],
    }
    config.write_text(json.dumps(said_of), encoding="utf-8")
    served = Served.start(tmp_path, "--config", config)
    try:
        with connected(served, key="k") as client:
            assert [model.id for model in client.models.list()] == ["ann"]
            assert client.models.retrieve("ann").id == "ann"
            assert said(client, "ann") == "ann heard 5"
            with pytest.raises(openai.PermissionDeniedError):
                said(client, "bob")
            with pytest.raises(openai.NotFoundError) as raised:
                said(client, "eve")
            assert "bob" not in raised.value.message
            with pytest.raises(openai.NotFoundError):
                client.models.retrieve("bob")
        with connected(served, key="other") as client, pytest.raises(openai.AuthenticationError):
            said(client, "ann")
    finally:
        served.stop()


def test_behind_several_fronts(tmp_path: Path) -> None:
    served = Served.start(tmp_path, *make(tmp_path), "--fronts", "2")
    try:
        with connected(served) as client:
            assert said(client, "bob", "x" * 2_000_000) == "bob heard 2000000"
            chunks = client.chat.completions.create(model="ann", messages=HELLO, stream=True)
            assert len(list(chunks)) == 3
            assert client.models.retrieve("ann").id == "ann"
    finally:
        served.stop()
