"""A model over a dataset of Ray Data: an actor pool that keeps it loaded.

from polyhost.cluster.ray_data import predict_dataset

rows = ray.data.read_parquet("s3://bucket/rows/")
predict_dataset(rows, "models/churn", passthrough=["id"]).write_parquet("s3://bucket/answers/")
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from polyhost.cluster.ray_files import RayShipment, ship
from polyhost.embed.model import load

BATCH_ROWS = 50_000


def predict_dataset(
    dataset: Any,
    model: str | os.PathLike[str],
    *,
    passthrough: Sequence[str] = (),
    concurrency: int | tuple[int, int] = 1,
    batch_rows: int | None = BATCH_ROWS,
    num_cpus: float = 1.0,
    **settings: Any,
) -> Any:
    """A dataset of the answers to the rows of one; ``passthrough`` columns stand after them.

    ``model``: a folder, an archive or an address, which every node gets. ``concurrency``: actors, or
    fewest and most of them. ``batch_rows``: rows of one call; None is a block. ``settings`` are those
    of :func:`polyhost.load`. The order of rows is that of the dataset where Ray Data is set to keep
    it (``DataContext.execution_options.preserve_order``).
    """
    return dataset.map_batches(
        DatasetPredictor,
        fn_constructor_args=(ship(model), tuple(passthrough), settings),
        batch_size=batch_rows,
        batch_format="pyarrow",
        concurrency=concurrency,
        num_cpus=num_cpus,
    )


class DatasetPredictor:
    """What an actor of the pool holds: the model, behind a worker of its own."""

    def __init__(
        self, shipment: RayShipment, passthrough: Sequence[str], settings: dict[str, Any]
    ) -> None:
        self._passthrough = passthrough
        self._model = load(shipment.folder(), **settings)

    def __call__(self, rows: Any) -> Any:
        """The answers to a ``pyarrow.Table``, as one."""
        import pyarrow as pa

        if not rows.num_rows:
            return rows.select([])
        (batch,) = rows.combine_chunks().to_batches()
        answers = self._model.predict_batch(batch, passthrough=self._passthrough)
        return pa.Table.from_batches([answers])
