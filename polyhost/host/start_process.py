"""Starts the process of a worker: its folder, its environment, its sockets, and what it may take."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import Dict, Mapping, Tuple

from polyhost.host.launcher import Launcher, bridge_environment
from polyhost.host.sockets import Sockets
from polyhost.host.worker_env import worker_environment
from polyhost.settings import ModelConfig

DEVICE_VARIABLES: Tuple[str, ...] = ("CUDA_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES")
"""Variables that say which devices a worker may see."""


@dataclass
class Started:
    """A process that waits to hear what to load, and the host's ends of its sockets."""

    pid: int
    sockets: Sockets
    temp_dir: str

    def remove_temp_dir(self) -> None:
        """Remove the folder for its temporary files, once it has ended."""
        shutil.rmtree(self.temp_dir, ignore_errors=True)


async def start_process(
    launcher: Launcher, model: ModelConfig, own: Mapping[str, str], device: int
) -> Started:
    """Start a worker of this model; ``own``: variables of its own environment. Leaves nothing when
    it fails, or is cancelled."""
    temp_dir = launcher.temp_dirs.make()
    sockets = Sockets()
    sandboxes = launcher.sandboxes
    try:
        env = _environment(model, own, temp_dir, device)
        sandbox = sandboxes.sandbox(model.name, model.limits, env)
        env.update(sandbox.variables)
        try:
            pid = await launcher.start(model.spec, model.python, env, sockets, sandbox.setup)
        except BaseException:
            sandboxes.drop(sandbox)
            raise
        sandboxes.enter(sandbox, pid)
    except BaseException:
        sockets.close_worker_ends()
        sockets.close()
        shutil.rmtree(temp_dir, ignore_errors=True)
        raise
    sockets.close_worker_ends()
    return Started(pid, sockets, temp_dir)


def _environment(
    model: ModelConfig, own: Mapping[str, str], temp_dir: str, device: int
) -> Dict[str, str]:
    extra = {**bridge_environment(model.spec.language), **own, **model.environment}
    if model.devices:
        seen = model.devices[min(device, len(model.devices) - 1)]
        extra.update(dict.fromkeys(DEVICE_VARIABLES, seen))
    return worker_environment(model.own_environment, extra, temp_dir)
