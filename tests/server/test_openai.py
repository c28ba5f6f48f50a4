"""Completions, embeddings and responses, asked by OpenAI's own client."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from support.direct_model import DirectModel, application, direct
from support.served import Served

from polyhost.data.target import Target, TargetType

TARGET = Target(TargetType.TEXT_GENERATION, (), "answer")
HOOKS = """
import numpy as np
from openai.types import CreateEmbeddingResponse, Embedding
from openai.types.create_embedding_response import Usage


def load_model(code_dir):
    return "m"


def completions(params, model, headers):
    if params.get("temperature") == 2:
        raise ValueError("too hot")
    words = params["prompt"].split()
    if not params.get("stream"):
        choice = {"index": 0, "text": params["prompt"].upper(), "finish_reason": "stop"}
        return {"id": "c", "object": "text_completion", "created": 1, "model": model,
                "choices": [choice], "usage": {"prompt_tokens": len(words), "completion_tokens": 1,
                                               "total_tokens": len(words) + 1}}
    return pieces(words, params.get("temperature"))


def pieces(words, temperature):
    for word in words:
        if temperature == 1 and word == "b":
            raise ValueError("in the middle")
        yield word + " "


def embeddings(params, model):
    texts = params["input"]
    texts = [texts] if isinstance(texts, str) else texts
    if params["model"] == "short":
        return np.array([[len(text), 0.1] for text in texts])
    if params["model"] == "wrong":
        return [[1.0]]
    data = [Embedding(embedding=[0.1, 1 / 3], index=i, object="embedding") for i in range(len(texts))]
    usage = Usage(prompt_tokens=1, total_tokens=1)
    return CreateEmbeddingResponse(data=data, model="e", object="list", usage=usage)


def responses(params, model):
    return f"{params['instructions']}: {params['input']}" if not params.get("stream") else iter("abc")
"""
CHAT = """
def load_model(code_dir):
    return []


def chat(params, model):
    said = params["messages"][-1]
    model.append(said)
    if params.get("tools"):
        name = params["tools"][0]["function"]["name"]
        call = {"id": "call-1", "type": "function", "index": 0,
                "function": {"name": name, "arguments": '{"x": 1}'}}
        return answered(params, {"tool_calls": [call], "content": None}, "tool_calls")
    text = " ".join(f"{m['role']}={m['content']}" for m in params["messages"])
    return answered(params, {"content": text}, "length" if "max_completion_tokens" in params else "stop")


def answered(params, message, finish):
    base = {"id": "1", "created": 1, "model": "m"}
    usage = {"prompt_tokens": 2, "completion_tokens": 3, "total_tokens": 5}
    if params.get("stream"):
        return chunks(base, message, finish, usage)
    choice = {"index": 0, "finish_reason": finish, "message": {"role": "assistant", **message}}
    return {**base, "object": "chat.completion", "choices": [choice], "usage": usage}


def chunks(base, message, finish, usage):
    base = {**base, "object": "chat.completion.chunk"}
    deltas = [{"role": "assistant"}]
    if message["content"] is None:
        call = message["tool_calls"][0]
        function = call["function"]
        deltas.append({"tool_calls": [{**call, "function": {**function, "arguments": ""}}]})
        deltas += [{"tool_calls": [{"index": 0, "function": {"arguments": c}}]} for c in ('{"x":', " 1}")]
    else:
        deltas += [{"content": word} for word in message["content"].split()]
    for delta in deltas:
        yield {**base, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
    yield {**base, "choices": [{"index": 0, "delta": {}, "finish_reason": finish}]}
    yield {**base, "choices": [], "usage": usage}
"""
Ask = Callable[[openai.AsyncOpenAI], Awaitable[Any]]


@pytest.fixture(scope="module")
def hooks(tmp_path_factory: pytest.TempPathFactory) -> DirectModel:
    return direct(tmp_path_factory.mktemp("hooks"), HOOKS, TARGET)


@pytest.fixture(scope="module")
def chat(tmp_path_factory: pytest.TempPathFactory) -> DirectModel:
    return direct(tmp_path_factory.mktemp("chat"), CHAT, TARGET, name="chat")


def ask(models: DirectModel | tuple[DirectModel, ...], what: Ask, place: str = "/v1") -> Any:
    several = models if isinstance(models, tuple) else (models,)

    async def run() -> Any:
        transport = httpx.ASGITransport(application(*several))
        async with httpx.AsyncClient(transport=transport) as http:
            client = openai.AsyncOpenAI(
                base_url=f"http://localhost{place}", api_key="any", http_client=http, max_retries=0
            )
            return await what(client)

    return asyncio.run(run())


async def collected(stream: Any) -> list[Any]:
    return [event async for event in await stream]


# Completions


@pytest.mark.parametrize("place", ["/v1", "/openai/v1", "/models/m/v1"])
def test_a_completion(hooks: DirectModel, place: str) -> None:
    found = ask(hooks, lambda c: c.completions.create(model="x", prompt="a b"), place)
    assert (found.choices[0].text, found.usage.total_tokens) == ("A B", 3)


def test_a_completion_that_streams(hooks: DirectModel) -> None:
    found = ask(
        hooks, lambda c: collected(c.completions.create(model="x", prompt="a b", stream=True))
    )
    assert [chunk.choices[0].text for chunk in found] == ["a ", "b "]
    assert {chunk.object for chunk in found} == {"text_completion"}
    assert len({chunk.id for chunk in found}) == 1


def test_a_completion_that_fails(hooks: DirectModel) -> None:
    with pytest.raises(openai.InternalServerError, match="too hot") as error:
        ask(hooks, lambda c: c.completions.create(model="x", prompt="a", temperature=2))
    assert error.value.response.headers["x-should-retry"] == "false"
    with pytest.raises(openai.BadRequestError, match="'prompt' is missing"):
        ask(hooks, lambda c: c.completions.create(model="x", prompt=""))


def test_a_stream_that_breaks_off_is_no_complete_answer(hooks: DirectModel) -> None:
    with pytest.raises(openai.APIError, match="in the middle"):
        ask(
            hooks,
            lambda c: collected(
                c.completions.create(model="x", prompt="a b", stream=True, temperature=1)
            ),
        )


def test_completions_are_asked_of_chat_where_there_is_no_hook(chat: DirectModel) -> None:
    found = ask(chat, lambda c: c.completions.create(model="x", prompt=["a", "b"]))
    assert [(choice.index, choice.text) for choice in found.choices] == [
        (0, "user=a"),
        (1, "user=b"),
    ]
    assert found.usage.total_tokens == 10
    stream = ask(
        chat, lambda c: collected(c.completions.create(model="x", prompt="a b", stream=True))
    )
    assert "".join(c.choices[0].text for c in stream if c.choices) == "user=ab"
    with pytest.raises(openai.BadRequestError, match="tokens are not read here"):
        ask(chat, lambda c: c.completions.create(model="x", prompt=[1, 2]))


GENERATES = """
import pandas as pd


def load_model(code_dir):
    return "m"


def score(data, model, **kwargs):
    return pd.DataFrame({"answer": data["promptText"].str.upper()})
"""


def test_a_text_generation_model_without_such_hooks_predicts(tmp_path: Path) -> None:
    model = direct(tmp_path / "m", GENERATES, TARGET)
    found = ask(model, lambda c: c.completions.create(model="x", prompt=["a", "b"]))
    assert [choice.text for choice in found.choices] == ["A", "B"]
    stream = ask(
        model, lambda c: collected(c.completions.create(model="x", prompt="a", stream=True))
    )
    assert [chunk.choices[0].text for chunk in stream] == ["A"]
    assert ask(model, lambda c: c.responses.create(model="x", input="a")).output_text == "A"
    events = ask(model, lambda c: collected(c.responses.create(model="x", input="a", stream=True)))
    assert events[-1].response.output_text == "A"
    with pytest.raises(openai.NotFoundError, match="no embeddings hook"):
        ask(model, lambda c: c.embeddings.create(model="x", input="a"))


# Embeddings


def test_embeddings(hooks: DirectModel) -> None:
    found = ask(hooks, lambda c: c.embeddings.create(model="e", input=["a", "b"]))
    assert [item.embedding for item in found.data] == [[0.1, 1 / 3]] * 2
    found = ask(hooks, lambda c: c.embeddings.create(model="short", input=["a", "bcd"]))
    assert [item.embedding for item in found.data] == [[1.0, 0.1], [3.0, 0.1]]
    assert (found.model, found.data[1].index) == ("short", 1)
    with pytest.raises(openai.InternalServerError, match=r"1 vector\(s\) for 2 input\(s\)"):
        ask(hooks, lambda c: c.embeddings.create(model="wrong", input=["a", "b"]))


def test_without_a_hook_there_are_no_embeddings(chat: DirectModel) -> None:
    with pytest.raises(openai.NotFoundError, match="no embeddings hook"):
        ask(chat, lambda c: c.embeddings.create(model="e", input="a"))


# Responses


def test_a_response_of_a_hook(hooks: DirectModel) -> None:
    found = ask(hooks, lambda c: c.responses.create(model="x", input="a", instructions="say"))
    assert (found.output_text, found.status) == ("say: a", "completed")
    events = ask(hooks, lambda c: collected(c.responses.create(model="x", input="a", stream=True)))
    texts = [event.delta for event in events if event.type == "response.output_text.delta"]
    assert texts == ["a", "b", "c"]
    assert events[-1].type == "response.completed"
    assert events[-1].response.output_text == "abc"


def test_a_response_of_a_conversation(chat: DirectModel) -> None:
    given: Any = [
        {"role": "user", "content": [{"type": "input_text", "text": "hi"}]},
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c", "output": "42"},
    ]
    found = ask(
        chat,
        lambda c: c.responses.create(
            model="x", input=given, instructions="be brief", max_output_tokens=5
        ),
    )
    assert found.output_text == "system=be brief user=hi assistant=None tool=42"
    assert (found.status, found.incomplete_details.reason) == ("incomplete", "max_output_tokens")
    assert (found.usage.input_tokens, found.usage.output_tokens) == (2, 3)


TOOL: Any = {"type": "function", "name": "look", "parameters": {"type": "object"}, "strict": True}


def test_a_response_that_calls_a_tool(chat: DirectModel) -> None:
    found = ask(chat, lambda c: c.responses.create(model="x", input="a", tools=[TOOL]))
    (item,) = found.output
    assert (item.type, item.name, item.arguments, item.call_id) == (
        *("function_call", "look", '{"x": 1}', "call-1"),
    )
    events = ask(
        chat,
        lambda c: collected(c.responses.create(model="x", input="a", tools=[TOOL], stream=True)),
    )
    assert [event.sequence_number for event in events] == list(range(len(events)))
    (done,) = [e for e in events if e.type == "response.function_call_arguments.done"]
    assert done.arguments == '{"x": 1}'
    assert events[-1].response.output[0].arguments == '{"x": 1}'


def test_the_clients_own_stream_helper_reads_the_events(chat: DirectModel) -> None:
    async def run(client: openai.AsyncOpenAI) -> Any:
        async with client.responses.stream(model="x", input="a b") as stream:
            async for _ in stream:
                pass
            return await stream.get_final_response()

    assert ask(chat, run).output_text == "user=ab"


def test_what_no_conversation_has_is_refused(chat: DirectModel) -> None:
    with pytest.raises(openai.BadRequestError, match="no answers are kept here"):
        ask(chat, lambda c: c.responses.create(model="x", input="a", previous_response_id="r"))


def test_tools_reach_the_chat_hook_as_they_were_sent(chat: DirectModel) -> None:
    tool: Any = {"type": "function", "function": {"name": "look", "parameters": {}}}
    messages: Any = [{"role": "user", "content": "a"}]
    found = ask(
        chat, lambda c: c.chat.completions.create(model="x", messages=messages, tools=[tool])
    )
    call = found.choices[0].message.tool_calls[0]
    assert (call.id, call.function.name, found.choices[0].finish_reason) == (
        *("call-1", "look", "tool_calls"),
    )


def test_several_models_are_told_apart_by_name(hooks: DirectModel, chat: DirectModel) -> None:
    async def run(client: openai.AsyncOpenAI) -> list[str]:
        found = [
            (await client.completions.create(model=name, prompt="a b")).choices[0].text
            for name in ("m", "chat")
        ]
        listed = [model.id async for model in client.models.list()]
        assert sorted(listed) == ["chat", "m"]
        assert (await client.embeddings.create(model="m", input="a")).data[0].embedding
        assert (await client.models.retrieve("chat")).id == "chat"
        with pytest.raises(openai.NotFoundError, match="no model 'nobody'"):
            await client.responses.create(model="nobody", input="a")
        return found

    assert ask((hooks, chat), run) == ["A B", "user=a b"]
    assert ask((hooks, chat), run, "/openai/v1") == ["A B", "user=a b"]


# Over sockets


ENDLESS = """
from pathlib import Path


def load_model(code_dir):
    return Path(code_dir)


def completions(params, model):
    return forever(model, params["prompt"])


def forever(folder, name):
    try:
        while True:
            yield "x" * 1000
    finally:
        (folder / name).write_text("closed")
"""


def test_streams_share_a_worker_and_end_when_their_clients_leave(
    tmp_path: Path, serve: Callable[..., Served], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "endless"
    folder.mkdir()
    (folder / "custom.py").write_text(ENDLESS, encoding="utf-8")
    metadata = "name: endless\ntype: inference\ntargetType: regression\n"
    (folder / "model-metadata.yaml").write_text(metadata, encoding="utf-8")
    server = serve(folder, "--max-concurrency", 2)
    http = httpx.Client(trust_env=False)
    url = f"http://127.0.0.1:{server.port}/v1"
    with openai.OpenAI(base_url=url, api_key="any", http_client=http, max_retries=0) as client:
        first = client.completions.create(model="x", prompt="one", stream=True)
        second = client.completions.create(model="x", prompt="two", stream=True)
        for _ in range(3):
            assert next(first).choices[0].text == next(second).choices[0].text
        first.close()
        assert next(second).choices[0].text
        second.close()
        third = client.completions.create(model="x", prompt="three", stream=True)
        assert next(third).choices[0].text
        third.close()
    server.stop()
    assert {name: (folder / name).read_text() for name in ("one", "two")} == {
        "one": "closed",
        "two": "closed",
    }
