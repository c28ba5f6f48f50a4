"""Moderation of prompts and answers by DataRobot's library, where it is installed.

A ``moderation_config.yaml`` in the code dir asks for it. A prompt that a guard blocks never reaches
the model: the guard's message is the answer. An answer that is blocked is replaced by it.
"""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import logging
import os
import sys
import threading
import time
import uuid
from pathlib import Path
from typing import Any, Callable, Coroutine, Dict, Iterator, Mapping, Optional, Tuple

from polyhost.bridges.python.faults import as_model_error
from polyhost.data.target import Target, TargetType
from polyhost.errors import InvalidOutput, LoadError, SchemaMismatch
from polyhost.pipeline.chat_reports import PROMPT_COLUMN, prompt_of, text_of
from polyhost.predictor import ChatReply

logger = logging.getLogger(__name__)

FILE = "moderation_config.yaml"
LIBRARY = "datarobot_dome"
BLOCKED = "content_filter"
"""Why an answer that was blocked is finished, in OpenAI's words."""
_MODERATED = (TargetType.TEXT_GENERATION, TargetType.AGENTIC_WORKFLOW)

Frame = Any
Ask = Callable[[Mapping[str, Any]], ChatReply]


def moderation_of(code_dir: Path, target: Target) -> Optional[Moderation]:
    """The moderation that a code dir asks for; None, with a warning, when it cannot be had."""
    path = code_dir / FILE
    if target.type not in _MODERATED or not path.is_file():
        return None
    if os.environ.get("DISABLE_MODERATION", "").lower() == "true":
        return None
    if importlib.util.find_spec(LIBRARY) is None:
        logger.warning(
            "%s asks for moderation, and %s has no module %s: nothing is moderated. Install it there "
            "(pip install 'datarobot-moderations[all]'), or remove the file.",
            *(path, sys.executable, LIBRARY),
        )
        return None
    try:
        import yaml

        config = yaml.safe_load(path.read_text(encoding="utf-8"))
        api = importlib.import_module(f"{LIBRARY}.api")
        guards = api.ModerationPipeline.from_dict(config, model_dir=str(code_dir))
    except Exception as error:  # whatever the library raises of a wrong file or token
        raise LoadError(
            f"the moderation that {path} asks for cannot be set up: {type(error).__name__}: "
            f"{error}. Fix the file, its credentials or the installation (pip install "
            "'datarobot-moderations[all]'), or set DISABLE_MODERATION=true.",
            language="python",
        ) from error
    return Moderation(guards, code_dir, str(config.get("prompt_column_name") or PROMPT_COLUMN))


class Moderation:
    """The guards of one model. Prompts and answers are judged on a thread of its own."""

    def __init__(self, guards: Any, code_dir: Path, column: str = PROMPT_COLUMN) -> None:
        self._guards = guards
        self._code_dir = code_dir
        self._column = column
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="moderation", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """End the thread."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    # Verdicts

    def _wait(self, judging: Coroutine[Any, Any, Any]) -> Any:
        try:
            return asyncio.run_coroutine_threadsafe(judging, self._loop).result()[0]
        except Exception as error:
            raise as_model_error(error, "python", "moderation", self._code_dir) from error

    def _prompt(self, prompt: str) -> Tuple[str, bool]:
        """What the model may see, or what is answered instead, and whether it is the latter."""
        return _outcome(self._wait(self._guards.evaluate_prompt_async(prompt)), prompt)

    def _answer(self, answer: str, prompt: str) -> Tuple[str, bool]:
        if not answer:  # it called a tool, say
            return answer, False
        judging = self._guards.evaluate_response_async(answer, prompt=prompt)
        return _outcome(self._wait(judging), answer)

    # Conversations

    def chat(self, params: Mapping[str, Any], ask: Ask) -> ChatReply:
        """What a conversation is answered when the guards have their say."""
        prompt = prompt_of(params)
        allowed, blocked = self._prompt(prompt)
        if blocked:
            return _refusal(params, allowed)
        reply = ask(params if allowed == prompt else _with_prompt(params, allowed))
        if reply.chunks is not None:
            return ChatReply(chunks=self._judged(reply.chunks, allowed))
        return ChatReply(completion=self._judged_whole(reply.completion or {}, allowed))

    def _judged_whole(self, completion: Mapping[str, Any], prompt: str) -> Mapping[str, Any]:
        choices = []
        for choice in completion.get("choices") or ():
            text = text_of({"choices": [choice]})
            said, blocked = self._answer(text, prompt)
            choices.append(choice if said == text else _saying(choice, said, blocked))
        return {**completion, "choices": choices}

    def _judged(
        self, chunks: Iterator[Mapping[str, Any]], prompt: str
    ) -> Iterator[Mapping[str, Any]]:
        """The chunks, held back until the whole answer was judged."""
        try:
            held = list(chunks)
        finally:
            close = getattr(chunks, "close", None)
            if close is not None:
                close()
        text = "".join(text_of(chunk, "delta") for chunk in held)
        said, blocked = self._answer(text, prompt)
        if said == text:
            yield from held
            return
        choice = _choice("delta", said, BLOCKED if blocked else "stop")
        yield {**held[0], "choices": [choice]}

    # Rows

    def score(self, rows: Frame, score: Callable[[Frame], Frame], target: Target) -> Frame:
        """What ``score`` makes of the rows whose prompts may be seen, in place among all."""
        names = [str(name) for name in getattr(rows, "columns", ())]
        if self._column not in names:
            raise SchemaMismatch(
                f"moderation reads prompts in the column {self._column!r}: found "
                f"{', '.join(map(repr, names)) or 'no columns'}. Name the prompts' column "
                f"so, or give its name as prompt_column_name in {FILE}.",
                found=names,
            )
        import pandas as pd

        verdicts = [self._prompt(str(prompt)) for prompt in rows[self._column]]
        seen = [i for i, (_, blocked) in enumerate(verdicts) if not blocked]
        name = target.name or "Predictions"
        found = pd.DataFrame({name: pd.Series(dtype=object)})
        if seen:
            prompts = [verdicts[i][0] for i in seen]
            found = score(rows.iloc[seen].assign(**{self._column: prompts}))
            name = _answers_in(found, name)
            _check_rows(found, len(seen))
            said = [self._answer(str(a), p)[0] for a, p in zip(found[name], prompts)]
            found = found.assign(**{name: pd.Series(said, index=found.index, dtype=object)})
        whole = found.set_axis(seen, axis=0).reindex(range(len(verdicts)))
        for i, (message, blocked) in enumerate(verdicts):
            if blocked:
                whole.loc[i, name] = message
        return whole


def _outcome(verdict: Any, text: str) -> Tuple[str, bool]:
    if verdict.blocked:
        return str(verdict.blocked_message or ""), True
    return (str(verdict.replacement) if verdict.replaced else text), False


def _refusal(params: Mapping[str, Any], message: str) -> ChatReply:
    """The guard's message in place of an answer, in the form that was asked for."""
    stream = bool(params.get("stream"))
    whole: Dict[str, Any] = {
        "id": f"chatcmpl-{uuid.uuid4().hex}",
        "object": "chat.completion.chunk" if stream else "chat.completion",
        "created": int(time.time()),
        "model": str(params.get("model", "")),
        "choices": [_choice("delta" if stream else "message", message, BLOCKED)],
    }
    return ChatReply(chunks=iter([whole])) if stream else ChatReply(completion=whole)


def _choice(key: str, text: str, finish: str) -> Dict[str, Any]:
    said = {"role": "assistant", "content": text}
    return {"index": 0, key: said, "finish_reason": finish, "logprobs": None}


def _saying(choice: Mapping[str, Any], text: str, blocked: bool) -> Dict[str, Any]:
    message = {**choice["message"], "content": text}
    finish = BLOCKED if blocked else choice.get("finish_reason")
    return {**choice, "message": message, "finish_reason": finish}


def _with_prompt(params: Mapping[str, Any], prompt: str) -> Dict[str, Any]:
    *others, last = params["messages"]
    return {**params, "messages": [*others, {**last, "content": prompt}]}


def _answers_in(found: Frame, name: str) -> str:
    if len(found.columns) == 1:
        return str(found.columns[0])
    if name not in found.columns:
        raise InvalidOutput(
            f"score returned no column {name!r} for moderation to read: found "
            f"{', '.join(map(repr, found.columns))}. Name the answers like the target.",
            language="python",
            hook="score",
            found=[str(column) for column in found.columns],
        )
    return name


def _check_rows(found: Frame, expected: int) -> None:
    if len(found) != expected:
        raise InvalidOutput(
            f"score returned {len(found)} row(s) for {expected} prompt(s): moderation expects one "
            "answer for each.",
            language="python",
            hook="score",
            expected=expected,
            found=len(found),
        )
