"""Start a worker or a fork server in any interpreter, as a script: nothing need be installed there.

``python boot.py MODULE JSON`` makes this file's own ``polyhost`` importable, and nothing else that
happens to lie beside it, then calls ``MODULE.main(**JSON)``.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import sys


def _expose_package(package_dir: str) -> None:
    """Import ``polyhost`` from its own folder without putting the folder's neighbours on the path."""
    spec = importlib.util.spec_from_file_location(
        "polyhost",
        os.path.join(package_dir, "__init__.py"),
        submodule_search_locations=[package_dir],
    )
    if spec is None or spec.loader is None:
        raise ImportError("no polyhost package in " + package_dir)
    module = importlib.util.module_from_spec(spec)
    sys.modules["polyhost"] = module
    spec.loader.exec_module(module)


def main() -> None:
    """Run what the command line says."""
    here = os.path.dirname(os.path.abspath(__file__))
    if sys.path and os.path.abspath(sys.path[0]) == here:
        del sys.path[0]
    _expose_package(os.path.dirname(here))
    importlib.import_module(sys.argv[1]).main(**json.loads(sys.argv[2]))


if __name__ == "__main__":
    main()
