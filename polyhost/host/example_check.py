"""A version's own check: the example that its author stored in the code dir, predicted once."""

from __future__ import annotations

import asyncio
import json
import logging
from pathlib import Path
from typing import Optional, Tuple

from polyhost.codecs import Request
from polyhost.errors import InvalidOutput, PolyhostError, WorkerTimeout
from polyhost.host import saved_example
from polyhost.host.pool import Pool
from polyhost.wire.frames import dumps

logger = logging.getLogger(__name__)

EXAMPLES = (
    ("example.csv", "text/csv"),
    ("example.json", "application/json"),
    ("serving_input_example.json", "application/json"),
)
"""Names looked for, in this order, and what is in them."""

LONGEST = 8 << 20
LIMIT = 600.0


def example(code_dir: Path) -> Optional[Tuple[Path, str]]:
    """The stored example of a code dir and its type; None when it has none."""
    for name, content_type in EXAMPLES:
        path = code_dir / name
        if path.is_file() and path.stat().st_size <= LONGEST:
            return path, content_type
    return None


async def check(pool: Pool, *, first: bool = False) -> None:
    """Predict the stored example; an error that names it when the model does not answer it.

    ``first``: there is no version before. The example of a model that MLflow saved, which has to
    answer whatever its example, is then a warm-up, and its error a warning.
    """
    spec = pool.config.spec
    if saved_example.OPTION in spec.options:
        try:
            await _check_saved(pool)
        except (PolyhostError, OSError, ValueError) as error:
            if not first and isinstance(error, PolyhostError):
                raise
            logger.warning("model %s: its stored example is not answered: %s", pool.name, error)
        return
    found = example(spec.code_dir)
    if found is not None and spec.target.type.is_structured:
        request = Request("predict", "drum", found[1], options={"strict_rows": True})
        await _answered(pool, found[0], request, found[0].read_bytes())


async def _check_saved(pool: Pool) -> None:
    found = saved_example.body_of(pool.config.spec)
    if found is not None:
        path, content_type, body = found
        await _answered(pool, path, Request("predict", "mlflow", content_type), body)


async def _answered(pool: Pool, path: Path, request: Request, body: bytes) -> None:
    pending = pool.submit(dumps(request.to_wire()), body, False)
    try:
        result = await asyncio.wait_for(asyncio.shield(pending.future), LIMIT)
    except asyncio.TimeoutError:
        pool.cancel(pending)
        raise WorkerTimeout(
            f"the stored example {path.name} had no answer in {LIMIT:g} s"
        ) from None
    except PolyhostError as error:
        raise type(error)(
            f"the model does not answer its own stored example {path.name}: {error.message} "
            "Fix the model or the example; the version before it stays.",
            **error.facts,
        ) from error
    if json.loads(result.meta).get("status") != 200:
        raise InvalidOutput(f"the stored example {path.name} was answered with an error")
