"""OpenAI's responses made of conversations: the request as a chat's, the answer as a response's."""

from __future__ import annotations

import time
import uuid
from typing import Any, Dict, Iterator, List, Mapping, Optional

from polyhost.codecs import chat
from polyhost.errors import InvalidInput
from polyhost.predictor import TEXT

Item = Dict[str, Any]
_RENAMED = {"max_output_tokens": "max_completion_tokens"}
_NOT_CHATS = (
    "input",
    "instructions",
    "text",
    "tools",
    "reasoning",
    "previous_response_id",
    "include",
)
_ECHOED = ("instructions", "metadata", "temperature", "tool_choice", "tools", "top_p", "user")
_PARTS = {"input_text": "text", "output_text": "text", "input_image": "image_url"}


# The request


def as_chat(params: Mapping[str, Any]) -> Dict[str, Any]:
    """The parameters of the conversation that a request for a response asks for."""
    if params.get("previous_response_id"):
        raise InvalidInput(
            "'previous_response_id' is set, but no answers are kept here: send the whole "
            "conversation in 'input'."
        )
    found = {
        _RENAMED.get(name, name): value for name, value in params.items() if name not in _NOT_CHATS
    }
    found["messages"] = _messages(params)
    if params.get("tools"):
        found["tools"] = [_tool(tool) for tool in params["tools"]]
    form = (params.get("text") or {}).get("format")
    if form and form.get("type") == "json_schema":
        schema = {name: value for name, value in form.items() if name != "type"}
        found["response_format"] = {"type": "json_schema", "json_schema": schema}
    elif form and form.get("type") != "text":
        found["response_format"] = form
    return found


def _messages(params: Mapping[str, Any]) -> List[Item]:
    messages: List[Item] = []
    if params.get("instructions"):
        messages.append({"role": "system", "content": params["instructions"]})
    given = params["input"]
    if isinstance(given, str):
        return [*messages, {"role": "user", "content": given}]
    if not isinstance(given, list) or not all(isinstance(item, dict) for item in given):
        raise InvalidInput("'input' must be a text, or a list of messages.")
    return [*messages, *map(_message, given)]


def _message(item: Mapping[str, Any]) -> Item:
    kind = item.get("type", "message")
    if kind == "function_call":
        called = {"name": item.get("name"), "arguments": item.get("arguments")}
        call = {"id": item.get("call_id"), "type": "function", "function": called}
        return {"role": "assistant", "content": None, "tool_calls": [call]}
    if kind == "function_call_output":
        return {
            "role": "tool",
            "tool_call_id": item.get("call_id"),
            "content": item.get("output"),
        }
    if kind != "message" or "role" not in item:
        raise InvalidInput(
            f"'input' holds an item of type {kind!r}, which no conversation has: expected message, "
            "function_call or function_call_output."
        )
    content = item.get("content")
    if isinstance(content, list):
        content = [_part(part) for part in content]
        if all(part["type"] == "text" for part in content):
            content = "".join(part["text"] for part in content)
    return {"role": item["role"], "content": content}


def _part(part: Mapping[str, Any]) -> Item:
    kind = _PARTS.get(str(part.get("type")))
    if kind == "text":
        return {"type": "text", "text": part.get("text", "")}
    if kind == "image_url":
        return {"type": "image_url", "image_url": {"url": part.get("image_url")}}
    return dict(part)


def _tool(tool: Mapping[str, Any]) -> Mapping[str, Any]:
    if tool.get("type") != "function" or "function" in tool:
        return tool
    function = {name: value for name, value in tool.items() if name != "type"}
    return {"type": "function", "function": function}


# The answer


class Shape:
    """The response to one request, whole or as the events of a stream."""

    def __init__(self, params: Mapping[str, Any]) -> None:
        self._base: Item = {
            "id": f"resp_{uuid.uuid4().hex}",
            "object": "response",
            "created_at": int(time.time()),
            "model": str(params.get("model") or ""),
            "error": None,
            "incomplete_details": None,
            "parallel_tool_calls": bool(params.get("parallel_tool_calls", True)),
            "tool_choice": "auto",
            "tools": [],
            **{name: params[name] for name in _ECHOED if name in params},
        }

    def of_text(self, text: str) -> Item:
        """A response that says one text."""
        return self._done([_said(text)])

    def of_completion(self, completion: Mapping[str, Any]) -> Item:
        """A response that says what a conversation's answer says."""
        choice: Mapping[str, Any] = next(iter(completion.get("choices") or ()), {})
        message = choice.get("message") or {}
        text = message.get("content")
        items = [_said(text)] if text else []
        items += [_called(call) for call in message.get("tool_calls") or ()]
        return self._done(items, completion.get("usage"), choice.get("finish_reason"))

    def _done(self, output: List[Item], usage: Any = None, finish: Optional[str] = None) -> Item:
        found = {**self._base, "status": "completed", "output": output}
        if finish in ("length", "content_filter"):
            reason = "max_output_tokens" if finish == "length" else finish
            found.update(status="incomplete", incomplete_details={"reason": reason})
        return {**found, "usage": _usage(usage)} if usage else found

    def events_of_hook(self, chunks: Iterator[Mapping[str, Any]]) -> Iterator[Item]:
        """A hook's own events as they are; texts as those of one message."""
        first = next(chunks, None)
        if first is not None and TEXT not in first:
            yield dict(first)
            for chunk in chunks:
                yield dict(chunk)
            return
        texts = ({"choices": [{"delta": {"content": text}}]} for text in _all_texts(first, chunks))
        yield from self.events_of_chat(texts)

    def events_of_chat(self, chunks: Any) -> Iterator[Item]:
        """The events of a response for a conversation's chunks."""
        events = _Events()
        try:
            started = {**self._base, "status": "in_progress", "output": []}
            yield events.made("response.created", response=started)
            yield events.made("response.in_progress", response=started)
            finish = usage = None
            for chunk in chunks:
                usage = chunk.get("usage") or usage
                for choice in chunk.get("choices") or ():
                    finish = choice.get("finish_reason") or finish
                    yield from events.of_delta(choice.get("delta") or {})
            yield from events.ended()
            done = self._done(events.output, usage, finish)
            yield events.made(f"response.{done['status']}", response=done)
        finally:
            close = getattr(chunks, "close", None)
            if close is not None:
                close()


def _all_texts(first: Any, chunks: Iterator[Mapping[str, Any]]) -> Iterator[str]:
    if first is not None:
        yield first[TEXT]
    for chunk in chunks:
        yield chunk.get(TEXT, "")


class _Events:
    """The events of a stream, numbered, and the items that they report."""

    def __init__(self) -> None:
        self.output: List[Item] = []
        self._number = 0
        self._message: Optional[Item] = None
        self._calls: Dict[int, Item] = {}

    def made(self, kind: str, **facts: Any) -> Item:
        """One event."""
        found = {"type": kind, "sequence_number": self._number, **facts}
        self._number += 1
        return found

    def of_delta(self, delta: Mapping[str, Any]) -> Iterator[Item]:
        """The events of what a chunk adds."""
        if delta.get("content"):
            yield from self._text(delta["content"])
        for call in delta.get("tool_calls") or ():
            yield from self._call(call)

    def _text(self, text: str) -> Iterator[Item]:
        message = self._message
        if message is None:
            message = self._message = _said("")
            yield self._added(message, content=[])
            yield self.made(
                "response.content_part.added", **self._place(message), part=_part_of("")
            )
        message["content"][0]["text"] += text
        yield self.made(
            "response.output_text.delta", **self._place(message), delta=text, logprobs=[]
        )

    def _call(self, call: Mapping[str, Any]) -> Iterator[Item]:
        index = call.get("index", 0)
        item = self._calls.get(index)
        if item is None:
            item = self._calls[index] = _called(
                {**call, "function": {**(call.get("function") or {}), "arguments": ""}}
            )
            yield self._added(item)
        piece = (call.get("function") or {}).get("arguments")
        if piece:
            item["arguments"] += piece
            yield self.made(
                "response.function_call_arguments.delta", **self._where(item), delta=piece
            )

    def _added(self, item: Item, **other: Any) -> Item:
        self.output.append(item)
        shown = {**item, **other, "status": "in_progress"}
        index = len(self.output) - 1
        return self.made("response.output_item.added", output_index=index, item=shown)

    def _where(self, item: Item) -> Item:
        return {"item_id": item["id"], "output_index": self.output.index(item)}

    def _place(self, item: Item) -> Item:
        return {**self._where(item), "content_index": 0}

    def ended(self) -> Iterator[Item]:
        """The events at the end of each item."""
        for index, item in enumerate(self.output):
            if item["type"] == "message":
                part = item["content"][0]
                place = self._place(item)
                yield self.made(
                    "response.output_text.done", **place, text=part["text"], logprobs=[]
                )
                yield self.made("response.content_part.done", **place, part=part)
            else:
                yield self.made(
                    "response.function_call_arguments.done",
                    **self._where(item),
                    name=item["name"],
                    arguments=item["arguments"],
                )
            yield self.made("response.output_item.done", output_index=index, item=item)


def event(value: Mapping[str, Any]) -> bytes:
    """One server-sent event, called by its type."""
    return b"event: " + str(value.get("type", "")).encode("ascii") + b"\n" + chat.event(value)


def _said(text: str) -> Item:
    return {
        "id": f"msg_{uuid.uuid4().hex}",
        "type": "message",
        "role": "assistant",
        "status": "completed",
        "content": [_part_of(text)],
    }


def _part_of(text: str) -> Item:
    return {"type": "output_text", "text": text, "annotations": []}


def _called(call: Mapping[str, Any]) -> Item:
    function = call.get("function") or {}
    return {
        "id": f"fc_{uuid.uuid4().hex}",
        "type": "function_call",
        "call_id": call.get("id"),
        "name": function.get("name"),
        "arguments": function.get("arguments") or "",
        "status": "completed",
    }


def _usage(usage: Mapping[str, Any]) -> Item:
    read, written = usage.get("prompt_tokens", 0), usage.get("completion_tokens", 0)
    return {
        "input_tokens": read,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": written,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": usage.get("total_tokens", read + written),
    }
