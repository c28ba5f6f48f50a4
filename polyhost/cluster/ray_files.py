"""Models in Ray: packed into its object store by the process that starts a job."""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from polyhost.cluster.shipping import Shipment, as_text, pack, unpack
from polyhost.errors import RuntimeUnavailable
from polyhost.predictor import ModelSpec

REACHABLE_WITHIN = 20.0
"""Seconds within which a head node accepts a connection."""


@dataclass(frozen=True)
class RayShipment:
    """A packed model, and the reference of its archive's bytes."""

    shipment: Shipment
    archive: Any

    def folder(self) -> Path:
        """The folder on this machine."""
        with tempfile.TemporaryDirectory(prefix="polyhost-ray-") as place:
            return unpack(self.shipment, lambda name: self._fetch(Path(place, name)))

    def _fetch(self, path: Path) -> Path:
        import ray

        path.write_bytes(ray.get(self.archive))
        return path


def relocated(spec: ModelSpec, folder: Path) -> ModelSpec:
    """A spec whose paths lie in another folder of the same content."""
    inside = [path.relative_to(spec.code_dir) for path in spec.artifacts]
    custom = spec.custom_file and folder / spec.custom_file.relative_to(spec.code_dir)
    return replace(
        spec,
        code_dir=folder,
        custom_file=custom,
        artifacts=tuple(folder / path for path in inside),
    )


def ship(model: str | os.PathLike[str]) -> RayShipment:
    """Put a model into the object store."""
    import ray

    with tempfile.TemporaryDirectory(prefix="polyhost-ray-") as place:
        shipment, archive = pack(as_text(model), Path(place))
        return RayShipment(shipment, ray.put(archive.read_bytes()))


@contextmanager
def connected(address: str | None) -> Iterator[Any]:
    """Connect to a cluster, or start one on this machine; the module ``ray``.

    Without an address ``RAY_ADDRESS`` counts. A connection that is there already is used, and kept.
    """
    try:
        import ray
    except ImportError as error:
        raise RuntimeUnavailable(
            f"--engine ray needs Ray: {error}. Install it: pip install 'polyhost[ray]'."
        ) from error
    if ray.is_initialized():
        yield ray
        return
    expect_reachable(address or os.environ.get("RAY_ADDRESS", ""))
    try:
        ray.init(address=address, log_to_driver=True, configure_logging=False)
    except Exception as error:  # Ray raises its own, Python's, and plain Exception
        raise RuntimeUnavailable(
            f"cannot connect to Ray {f'at {address}' if address else 'on this machine'}: {error} "
            "Expected HOST:PORT of a head node, 'auto' on a machine of the cluster, or no address (and "
            "no RAY_ADDRESS) to start Ray on this machine alone."
        ) from error
    try:
        yield ray
    finally:
        ray.shutdown()


def expect_reachable(address: str) -> None:
    """RuntimeUnavailable where nobody listens at HOST:PORT: Ray itself would try for minutes."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit() or "://" in address:
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), REACHABLE_WITHIN).close()
    except OSError as error:
        raise RuntimeUnavailable(
            f"no Ray cluster at {address}: {error.strerror or error}. Expected HOST:PORT of the head "
            "node (6379 unless it was started with another).",
            address=address,
        ) from error
