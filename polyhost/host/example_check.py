"""A version's own check: the example that its author stored in the code dir, predicted once."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Optional, Tuple

from polyhost.codecs import Request
from polyhost.errors import InvalidOutput, PolyhostError, WorkerTimeout
from polyhost.host.pool import Pool
from polyhost.wire.frames import dumps

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


async def check(pool: Pool) -> None:
    """Predict the stored example; an error that names it when the model does not answer it."""
    found = example(pool.config.spec.code_dir)
    if found is None or not pool.config.spec.target.type.is_structured:
        return
    path, content_type = found
    request = Request("predict", "drum", content_type, options={"strict_rows": True})
    pending = pool.submit(dumps(request.to_wire()), path.read_bytes(), False)
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
