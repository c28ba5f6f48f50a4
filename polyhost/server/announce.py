"""What a server reports of its start: where it listens, and a request to try."""

from __future__ import annotations

import json
import logging
from typing import Any, List, Optional, Tuple

from polyhost import __version__, logs
from polyhost.host.host import Host
from polyhost.host.model_slot import ModelSlot
from polyhost.predictor import ColumnInfo, ModelInfo
from polyhost.settings import ServerSettings

logger = logging.getLogger(logs.SERVE)

_MOST_COLUMNS = 8
_CELLS = {"number": 1.5, "integer": 1, "boolean": True, "date": "2024-05-31", "text": "text"}


def listening(settings: ServerSettings) -> None:
    """Log the address, before any model is loaded."""
    lazy = sum(model.lazy for model in settings.models)
    count = len(settings.models)
    logger.info(
        "polyhost %s listens on %s%s with %d model%s%s",
        __version__,
        address(settings),
        "" if settings.grpc_port is None else f" (gRPC: port {settings.grpc_port})",
        count,
        "" if count == 1 else "s",
        f", {lazy} loaded at the first request" if lazy else "",
    )


def ready(settings: ServerSettings, host: Host) -> None:
    """Log a request that works, once there is a model to answer it."""
    command = example(settings, host)
    if command is not None:
        logger.info("try: %s", command)


def address(settings: ServerSettings) -> str:
    """The URL that clients on this machine use."""
    scheme = "http" if settings.tls is None else "https"
    host = settings.address_host
    shown = "localhost" if host in ("0.0.0.0", "::") else f"[{host}]" if ":" in host else host
    return f"{scheme}://{shown}:{settings.port}{settings.url_prefix}"


def example(settings: ServerSettings, host: Host) -> Optional[str]:
    """A command that asks the first model that is ready; None while there is none."""
    found = next((model for model in host.models.values() if model.any_ready), None)
    if found is None or found.info is None:
        return None
    key = "-H 'Authorization: Bearer KEY' " if settings.keys else ""
    where = (
        address(settings) if len(host.models) == 1 else f"{address(settings)}/models/{found.name}"
    )
    return f"curl {key}{_request(found, found.info, where)}"


def _request(model: ModelSlot, info: ModelInfo, where: str) -> str:
    if not info.target.type.is_structured:
        return f"{where}/predictUnstructured/ -H 'Content-Type: text/plain' -d 'text'"
    body = rows(info)
    if body is None:
        return f"{where}/predict/ -H 'Content-Type: text/csv' --data-binary @rows.csv"
    text = json.dumps(body).replace("'", "'\\''")
    return f"{where}/invocations -H 'Content-Type: application/json' -d '{text}'"


def rows(info: ModelInfo) -> Optional[Any]:
    """A JSON body of one row that the model takes; None where it does not say what it takes."""
    columns = info.guest.columns
    if not columns or len(columns) > _MOST_COLUMNS or not info.typed:
        return None
    cells: List[Tuple[str, Any]] = []
    for column in columns:
        cell = _cell(column)
        if cell is None or not column.name:
            return None
        cells.append((column.name, cell))
    return {
        "dataframe_split": {
            "columns": [name for name, _ in cells],
            "data": [[cell for _, cell in cells]],
        }
    }


def _cell(column: ColumnInfo) -> Any:
    if column.example is not None:
        return column.example
    if column.levels:
        return column.levels[0]
    return _CELLS.get(column.kind)
