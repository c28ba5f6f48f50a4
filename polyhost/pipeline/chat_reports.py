"""Reports of conversations: each is one prediction, whose feature is the prompt."""

from __future__ import annotations

import logging
import os
import time
from typing import Any, Callable, Iterator, List, Mapping, Optional

from polyhost.pipeline.reports import Monitoring, Reporter
from polyhost.predictor import ChatReply

logger = logging.getLogger(__name__)

PROMPT_COLUMN = "promptText"
"""What the prompt is called where the deployment does not say."""
SHOWN = 80
"""Characters that a report keeps of an address that holds its data itself."""


class ChatMonitor:
    """Reports conversations for a pipeline; a report that fails is logged."""

    def __init__(self, reporter: Reporter, column: str = PROMPT_COLUMN) -> None:
        self._reporter = reporter
        self._column = column

    def answered(
        self, ask: Callable[[], ChatReply], params: Mapping[str, Any], id: Optional[str]
    ) -> ChatReply:
        """What ``ask`` answers, reported when all of it is there; an error is not a prediction."""
        started = time.perf_counter()
        try:
            reply = ask()
        except Exception:
            self._count(0, started)
            raise
        if reply.chunks is not None:
            return ChatReply(chunks=self._heard(reply.chunks, params, id, started))
        self._report(params, text_of(reply.completion or {}), id, started)
        return reply

    def _heard(
        self,
        chunks: Iterator[Mapping[str, Any]],
        params: Mapping[str, Any],
        id: Optional[str],
        started: float,
    ) -> Iterator[Mapping[str, Any]]:
        """The chunks; when they end, or their client leaves, what was said is reported."""
        said: List[str] = []
        try:
            for chunk in chunks:
                said.append(text_of(chunk, "delta"))
                yield chunk
        except Exception:
            self._count(0, started)
            raise
        except GeneratorExit:
            self._report(params, "".join(said), id, started)
            raise
        else:
            self._report(params, "".join(said), id, started)
        finally:
            close = getattr(chunks, "close", None)
            if close is not None:
                close()

    def _count(self, predictions: int, started: float) -> None:
        try:
            milliseconds = (time.perf_counter() - started) * 1000
            self._reporter.report_deployment_stats(predictions, milliseconds)
        except Exception:
            logger.exception("a report of a conversation failed")

    def _report(
        self, params: Mapping[str, Any], text: str, id: Optional[str], started: float
    ) -> None:
        self._count(1, started)
        try:
            import pandas as pd

            self._reporter.report_predictions_data(
                features_df=pd.DataFrame({self._column: [prompt_of(params)]}),
                predictions=[text],
                association_ids=None if id is None else [id],
            )
        except Exception:
            logger.exception("a report of a conversation failed")


def prompt_of(params: Mapping[str, Any]) -> str:
    """The last message of a conversation as text; what is not text is described."""
    messages = params.get("messages")
    last = messages[-1] if isinstance(messages, list) and messages else None
    content = last.get("content") if isinstance(last, Mapping) else None
    if isinstance(content, list):
        return "\n".join(map(_described, content))
    return "" if content is None else str(content)


def _described(part: Any) -> str:
    if not isinstance(part, Mapping):
        return str(part)
    kind = str(part.get("type", ""))
    value = part.get(kind)
    if kind == "text":
        return str(value or "")
    details = value if isinstance(value, Mapping) else {}
    if kind == "image_url":
        return f"Image: {str(details.get('url', value))[:SHOWN]}"
    if kind == "input_audio":
        return f"Audio: {details.get('format', 'unknown format')}"
    name = details.get("filename") or details.get("file_id") or ""
    return f"{kind or 'part'}: {name}".rstrip(": ")


def text_of(answer: Mapping[str, Any], key: str = "message") -> str:
    """The text of a completion, or with the key ``delta`` of a chunk."""
    choices = answer.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    said = first.get(key) if isinstance(first, Mapping) else None
    content = said.get("content") if isinstance(said, Mapping) else None
    return "" if content is None else str(content)


def prompt_column(monitoring: Monitoring) -> str:
    """What the deployment calls its prompt, where DataRobot's client is set up to say."""
    known = os.environ.get("DATAROBOT_ENDPOINT") and os.environ.get("DATAROBOT_API_TOKEN")
    if not (known and monitoring.deployment_id):
        return PROMPT_COLUMN
    try:
        import datarobot  # type: ignore[import-not-found,unused-ignore]

        model = datarobot.Deployment.get(monitoring.deployment_id).model
        return str((model or {}).get("prompt") or PROMPT_COLUMN)
    except ImportError:
        return PROMPT_COLUMN
    except Exception as error:  # whatever the client raises: reports go on without it
        logger.warning(
            "DataRobot did not say what deployment %s calls its prompt: %s. Reports call it %s.",
            monitoring.deployment_id,
            error,
            PROMPT_COLUMN,
        )
        return PROMPT_COLUMN
