"""What a model's first worker says of it: how much it takes at once, and which columns are known."""

from __future__ import annotations

import logging
from typing import Tuple

from polyhost.predictor import ModelInfo
from polyhost.settings import ModelConfig
from polyhost.wire.messages import calls_at_once

logger = logging.getLogger(__name__)


def room_for(model: ModelConfig, info: ModelInfo) -> Tuple[int, int]:
    """Requests that may share a call of a worker, and calls that it takes at once."""
    wanted = model.limits.max_concurrency
    calls = calls_at_once(wanted, info.threads)
    if calls < wanted:
        logger.warning(
            "model %s: max_concurrency is %d, but this %s model takes no more than %d at once",
            model.name,
            wanted,
            info.language,
            calls,
        )
    batching = model.batching
    return (batching.max_batch if info.batchable and batching and calls == 1 else 1), calls


def columns_of(info: ModelInfo) -> str:
    """What is known of the columns that a model takes, and from where."""
    if not info.target.type.is_structured:
        return ""
    count = len(info.guest.columns)
    if not count:
        return ", columns not known"
    return f", {count} column{'' if count == 1 else 's'} from the {info.guest.schema_source}"
