"""Makes PyTorch models in FOLDER and prints PyTorch's own predictions for ROWS as JSON."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch

MODULE = '''\
import torch


class Network(torch.nn.Module):
    """Dropout is there to be switched off."""

    def __init__(self):
        super().__init__()
        self.layers = torch.nn.Sequential(torch.nn.Linear(3, 1), torch.nn.Dropout(0.5))

    def forward(self, rows):
        return self.layers(rows)
'''


def main(folder: Path, rows: torch.Tensor) -> None:
    torch.manual_seed(1)
    for name in ("module", "script", "binary", "weights"):
        (folder / name).mkdir()
    (folder / "module" / "network.py").write_text(MODULE)
    sys.path.insert(0, str(folder / "module"))
    from network import Network

    network = Network()
    torch.save(network, folder / "module" / "model.pth")
    torch.save(network.state_dict(), folder / "weights" / "model.pth")
    torch.jit.script(network).save(str(folder / "script" / "model.pth"))
    binary = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.Softmax(dim=1))
    torch.save(binary, folder / "binary" / "model.pth")
    with torch.no_grad():
        values = network.eval()(rows)[:, 0].tolist()
        negative = binary.eval()(rows)[:, 0].tolist()
    print(json.dumps({"module": values, "script": values, "binary": negative}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), torch.tensor(json.loads(sys.argv[2])))
