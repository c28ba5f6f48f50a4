"""``polyhost models``: look at and change the models of a running server, over its admin API."""

from __future__ import annotations

import argparse
import json
import sys
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

from polyhost.cli.tables import aligned
from polyhost.errors import PolyhostError, SettingsError

LIMIT = 900.0
"""Seconds that a model may take to load."""


def add_to(commands: Any) -> None:
    """Add the command to the parser's."""
    parser = commands.add_parser("models", help="list, load, unload or scale a server's models")
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument(
        "--url", default="http://127.0.0.1:8000", help="the server [http://127.0.0.1:8000]"
    )
    shared.add_argument(
        "--key-file", type=Path, metavar="FILE", help="file that holds an API key of role admin"
    )
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    actions.add_parser("list", parents=[shared], help="name, version, state and replicas of each")
    load = actions.add_parser("load", parents=[shared], help="load a model, or its next version")
    load.add_argument("name")
    load.add_argument("source", help="folder or archive, as the server sees it")
    load.add_argument("--replicas", type=int, default=1, metavar="N")
    load.add_argument("--version", default="", metavar="TEXT")
    load.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="SETTING=VALUE",
        help="a setting of the model, as in polyhost.yaml: limits.deadline=5",
    )
    unload = actions.add_parser("unload", parents=[shared], help="take a model away")
    unload.add_argument("name")
    scale = actions.add_parser("scale", parents=[shared], help="change a model's replicas")
    scale.add_argument("name")
    scale.add_argument("replicas", type=int)
    actions.add_parser("reload", parents=[shared], help="read the configuration again")
    parser.set_defaults(run=run, parser=parser)


def run(options: argparse.Namespace) -> int:
    """Ask the server, and print what it says."""
    answer = _ACTIONS[options.action](options)
    if options.action == "list":
        _print_table(answer["models"])
    else:
        sys.stdout.write(json.dumps(answer, indent=2) + "\n")
    return 0


def _list(options: argparse.Namespace) -> Any:
    return _ask(options, "GET", "models")


def _load(options: argparse.Namespace) -> Any:
    body = {
        "source": options.source,
        "replicas": options.replicas,
        "version": options.version,
        "settings": dict(_setting(text) for text in options.set),
    }
    return _ask(options, "PUT", f"models/{urllib.parse.quote(options.name, safe='')}", body)


def _setting(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals:
        raise SettingsError(f"--set {text!r}: expected SETTING=VALUE, such as limits.deadline=5.")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def _unload(options: argparse.Namespace) -> Any:
    return _ask(options, "DELETE", f"models/{urllib.parse.quote(options.name, safe='')}")


def _scale(options: argparse.Namespace) -> Any:
    path = f"models/{urllib.parse.quote(options.name, safe='')}/scale"
    return _ask(options, "POST", path, {"replicas": options.replicas})


def _reload(options: argparse.Namespace) -> Any:
    return _ask(options, "POST", "reload")


_ACTIONS = {"list": _list, "load": _load, "unload": _unload, "scale": _scale, "reload": _reload}


def _ask(options: argparse.Namespace, method: str, path: str, body: Any = None) -> Any:
    url = f"{options.url.rstrip('/')}/admin/{path}"
    if not url.startswith(("http://", "https://")):
        raise SettingsError(f"wrong --url {options.url!r}: expected http://HOST:PORT.")
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, method=method)
    if options.key_file is not None:
        key = options.key_file.read_text(encoding="utf-8").strip()
        request.add_header("Authorization", f"Bearer {key}")
    try:
        with urllib.request.urlopen(request, timeout=LIMIT) as reply:
            return json.load(reply)
    except urllib.error.HTTPError as error:
        raise PolyhostError(f"{url} answered {error.code}: {_told(error)}") from error
    except (OSError, ValueError) as error:
        raise PolyhostError(
            f"no answer from the admin API at {url}: {error}. Is the server there, with "
            "admin.enabled in its configuration?"
        ) from error


def _told(error: urllib.error.HTTPError) -> str:
    text = error.read().decode("utf-8", "replace")
    try:
        return str(json.loads(text)["error"])
    except (ValueError, KeyError, TypeError):
        return "the admin API is not enabled there" if error.code == 404 else text[:500]


def _print_table(models: list[dict[str, Any]]) -> None:
    columns = ("name", "version", "state", "ready", "replicas", "restarts", "language", "reason")
    rows = [
        columns,
        *[tuple("" if model[c] is None else str(model[c]) for c in columns) for model in models],
    ]
    print("\n".join(aligned(rows)))
