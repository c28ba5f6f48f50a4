"""The flags that ``score`` and ``server`` share with DRUM, and their environment twins.

A twin is applied when its flag is not on the command line and the variable is not empty: it is
added to the arguments, so that every check of the flag applies to it too.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from polyhost.data.booleans import boolean
from polyhost.data.target import TargetType
from polyhost.errors import SettingsError
from polyhost.logs import FORMATS

LEVELS = ("all", "debug", "info", "warn", "warning", "error", "critical", "fatal")
BOTH = frozenset({"score", "server"})
SCORE = frozenset({"score"})
SERVER = frozenset({"server"})


@dataclass(frozen=True)
class Flag:
    """One flag: where it belongs, and its environment twin.

    ``env_else`` is asked when ``env`` is not set. ``refused``: it has no effect here, and why.
    """

    names: tuple[str, ...]
    help: str
    commands: frozenset[str] = BOTH
    env: str | None = None
    env_else: str | None = None
    refused: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def long(self) -> str:
        """The name that starts with two dashes."""
        return self.names[-1]

    @property
    def dest(self) -> str:
        """Its name in the parsed options."""
        return self.long[2:].replace("-", "_")

    @property
    def is_switch(self) -> bool:
        """It takes no value."""
        return self.options.get("action") == "store_true"


def existing_folder(text: str) -> Path:
    """A folder that is there, as a real path."""
    path = Path(text)
    if not path.is_dir():
        raise argparse.ArgumentTypeError(f"no folder at {text!r}")
    return path.resolve()


def model_source(text: str) -> Path:
    """The code dir of a model: a folder, or the version that an archive or an address makes."""
    from polyhost.cli.model_source import model_folder
    from polyhost.store.sources import is_address

    if Path(text).is_file() or (is_address(text) and not Path(text).is_dir()):
        return model_folder(text)
    return existing_folder(text)


def existing_file(text: str) -> Path:
    """A file that is there, as a real path."""
    path = Path(text)
    if not path.is_file():
        raise argparse.ArgumentTypeError(f"no file at {text!r}")
    return path.resolve()


def delimiter(text: str) -> str:
    """One character; ``\\t`` and ``tab`` are a tab."""
    found = {"\\t": "\t", "tab": "\t"}.get(text, text)
    if len(found) != 1 or found in '"\r\n':
        raise argparse.ArgumentTypeError(f"expected one character; found {text!r}")
    return found


def at_least(least: int, most: int = 10**9) -> Callable[[str], int]:
    """A whole number that is not below ``least``, and not above ``most``."""

    def number(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = least - 1
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(
                f"expected a whole number from {least} to {most}; found {text[:100]!r}"
            )
        return value

    return number


def memory_size(text: str) -> str:
    """A number of bytes as container engines take it: ``512m``, ``2g``."""
    if not re.fullmatch(r"[1-9][0-9]*[bkmg]", text, re.IGNORECASE):
        raise argparse.ArgumentTypeError(
            f"expected a number and b, k, m or g, such as 512m; found {text!r}"
        )
    return text


def language(text: str) -> str:
    """A language that some bridge serves."""
    return _one_of(text)


def model_language(text: str) -> str:
    """The same, or DRUM's word for none of them, which is refused when a model is looked for."""
    from polyhost.bridges import OTHER

    return _one_of(text, OTHER)


def _one_of(text: str, *more: str) -> str:
    from polyhost.bridges import all_bridges

    known = [*sorted(all_bridges()), *more]
    if text not in known:
        raise argparse.ArgumentTypeError(f"expected one of {', '.join(known)}; found {text!r}")
    return text


class _Labels(argparse.Action):
    """Two labels or more: argparse itself can only ask for one."""

    def __call__(self, parser: Any, namespace: Any, values: Any, option_string: Any = None) -> None:
        if len(values) < 2:
            parser.error(f"argument {option_string}: expected at least two labels")
        setattr(namespace, self.dest, tuple(values))


SWITCH = {"action": "store_true"}

TARGET_FLAGS = (
    Flag(
        ("--target-type",),
        "what the model answers; may come from model-metadata.yaml",
        env="TARGET_TYPE",
        options={"choices": [member.value for member in TargetType]},
    ),
    Flag(
        ("--positive-class-label",),
        "label whose probability a binary model gives",
        env="POSITIVE_CLASS_LABEL",
        options={"metavar": "LABEL"},
    ),
    Flag(
        ("--negative-class-label",),
        "the other label of a binary model",
        env="NEGATIVE_CLASS_LABEL",
        options={"metavar": "LABEL"},
    ),
    Flag(
        ("--class-labels",),
        "labels of a multiclass or multilabel model",
        env="CLASS_LABELS",
        options={"nargs": "+", "metavar": "LABEL", "action": _Labels},
    ),
    Flag(
        ("--class-labels-file",),
        "file with those labels, one a line",
        env="CLASS_LABELS_FILE",
        options={"type": existing_file, "metavar": "FILE"},
    ),
    Flag(
        ("--language",),
        "language of the model, when its files do not say; `polyhost doctor` lists them",
        options={"type": model_language, "metavar": "LANGUAGE"},
    ),
)

LOG_FLAGS = (
    Flag(
        ("--log-format",),
        "how log lines are written; json also says which request printed what",
        SERVER,
        options={"choices": FORMATS, "default": "text"},
    ),
    Flag(("--access-log",), "a log line for each request of a model", SERVER, options=SWITCH),
)

FLAGS = (
    Flag(
        ("-cd", "--code-dir"),
        "folder with the model; an archive or an address, such as models:/NAME/1, too",
        env="CODE_DIR",
        options={"required": True, "type": model_source, "metavar": "DIR"},
    ),
    Flag(
        ("--input",),
        "data to score: CSV, or .mtx, .arrow or .parquet by its name",
        SCORE,
        options={"required": True, "type": existing_file, "metavar": "FILE"},
    ),
    Flag(
        ("--output",),
        "file for the predictions; printed when absent",
        SCORE,
        options={"type": lambda text: Path(text).absolute(), "metavar": "FILE"},
    ),
    Flag(
        ("--address",),
        "where to listen, HOST[:PORT]; port 5000 when absent",
        SERVER,
        env="ADDRESS",
        options={"required": True, "metavar": "HOST:PORT"},
    ),
    *TARGET_FLAGS,
    Flag(
        ("--max-workers",),
        "worker processes of the model; 0 is one",
        SERVER,
        env="MAX_WORKERS",
        options={"type": at_least(0, 1000), "default": 0, "metavar": "N"},
    ),
    Flag(
        ("--max-concurrency",),
        "calls that one worker runs at once, where the language allows",
        SERVER,
        env="MAX_CONCURRENCY",
        options={"type": at_least(1, 1000), "default": 1, "metavar": "N"},
    ),
    Flag(
        ("--production",),
        "accepted for old scripts; needs --max-workers",
        SERVER,
        env="PRODUCTION",
        options=SWITCH,
    ),
    Flag(
        ("--with-error-server",),
        "when the model cannot be loaded, answer every request with the reason",
        SERVER,
        env="WITH_ERROR_SERVER",
        options=SWITCH,
    ),
    Flag(("--show-perf",), "print how long each step took", options=SWITCH),
    Flag(
        ("--show-stacktrace",),
        "print the native traceback of a model's error",
        env="SHOW_STACKTRACE",
        options=SWITCH,
    ),
    Flag(("--strict-rows",), "a row count that differs is an error", options=SWITCH),
    Flag(
        ("--positive-first",),
        "read unlabelled binary predictions as DRUM does: the positive class first",
        options=SWITCH,
    ),
    Flag(
        ("--unknown-levels",),
        "what a text is that no category of the model has: an error, a missing value, or whatever "
        "the runtime makes of it",
        options={"choices": ("error", "missing", "warn")},
    ),
    Flag(
        ("--extra-outputs",),
        "answer also with what the model's own library gives beside its predictions, such as "
        "calibrated probabilities and prediction intervals",
        options=SWITCH,
    ),
    Flag(("--verbose",), "say more", options=SWITCH),
    Flag(
        ("--logging-level",),
        "least level of the log lines to show",
        options={"choices": LEVELS, "default": "warning"},
    ),
    *LOG_FLAGS,
    Flag(
        ("--query",),
        "query string for an unstructured model, such as 'a=1&b=2'",
        options={"metavar": "QUERY"},
    ),
    Flag(
        ("--content-type",),
        "type of an unstructured model's input, such as 'text/plain; charset=utf8'",
        options={"metavar": "TYPE"},
    ),
    Flag(
        ("--delimiter",),
        "what separates the fields of a CSV input, such as ';'",
        SCORE,
        options={"type": delimiter, "default": ",", "metavar": "CHARACTER"},
    ),
    Flag(
        ("--charset",),
        "encoding of a CSV input, such as latin-1",
        SCORE,
        options={"metavar": "NAME"},
    ),
    Flag(
        ("--sparse-column-file",),
        "column names of an .mtx input, one a line",
        SCORE,
        options={"type": existing_file, "metavar": "FILE"},
    ),
    Flag(
        ("--deployment-config",),
        "JSON file that shapes the answers as a deployment does",
        SERVER,
        env="DEPLOYMENT_CONFIG",
        options={"type": existing_file, "metavar": "FILE"},
    ),
    Flag(
        ("--docker",),
        "run in a container of this image, or of the one that this folder's Dockerfile makes",
        options={"metavar": "IMAGE"},
    ),
    Flag(
        ("--memory",),
        "with --docker: memory of the container, such as 512m",
        options={"type": memory_size, "metavar": "SIZE"},
    ),
    Flag(
        ("--skip-deps-install",),
        "with --docker: leave the model's requirements.txt alone",
        options=SWITCH,
    ),
    Flag(("--monitor",), "report each prediction", env="MONITOR", options=SWITCH),
    Flag(
        ("--monitor-embedded",),
        "let an unstructured model report",
        env="MLOPS_REPORTING_FROM_UNSTRUCTURED_MODELS",
        options=SWITCH,
    ),
    Flag(
        ("--deployment-id",),
        "deployment to report for",
        env="DEPLOYMENT_ID",
        env_else="MLOPS_DEPLOYMENT_ID",
        options={"metavar": "ID"},
    ),
    Flag(
        ("--model-id",),
        "model to report for",
        env="MODEL_ID",
        env_else="MLOPS_MODEL_ID",
        options={"metavar": "ID"},
    ),
    Flag(
        ("--monitor-settings",),
        "how to report",
        env="MONITOR_SETTINGS",
        options={"metavar": "TEXT"},
    ),
    Flag(
        ("--webserver",),
        "DataRobot's address",
        env="EXTERNAL_WEB_SERVER_URL",
        options={"metavar": "URL"},
    ),
    Flag(("--api-token",), "DataRobot's token", env="API_TOKEN", options={"metavar": "TOKEN"}),
    Flag(
        ("--allow-dr-api-access",),
        "let the model's code call DataRobot",
        env="ALLOW_DR_API_ACCESS_FOR_ALL_CUSTOM_MODELS",
        options=SWITCH,
    ),
    Flag(
        ("--gpu-predictor",),
        "model server to start on a GPU",
        refused="polyhost starts no model server. Run it by itself, or serve the model with hooks",
        options={"metavar": "NAME"},
    ),
    Flag(
        ("--triton-host",),
        "checked, used by nothing: it belongs to --gpu-predictor",
        env="TRITON_HOST",
        options={"metavar": "URL", "default": "http://localhost"},
    ),
    Flag(
        ("--triton-http-port",),
        "see --triton-host",
        env="TRITON_HTTP_PORT",
        options={"metavar": "PORT", "type": int, "default": 8000},
    ),
    Flag(
        ("--triton-grpc-port",),
        "see --triton-host",
        env="TRITON_GRPC_PORT",
        options={"metavar": "PORT", "type": int, "default": 8001},
    ),
    Flag(
        ("--sidecar",),
        "serve beside a model server",
        refused="it belongs to --gpu-predictor",
        options=SWITCH,
    ),
    Flag(
        ("--runtime-params-file",),
        "values of the runtime parameters that model-metadata.yaml defines",
        env="RUNTIME_PARAMS_FILE",
        options={"type": existing_file, "metavar": "FILE"},
    ),
    Flag(
        ("--lazy-loading-file",),
        "YAML file that lists files to fetch from S3 before the model is loaded",
        env="LAZY_LOADING_FILE",
        options={"type": existing_file, "metavar": "FILE"},
    ),
    Flag(
        ("--user-secrets-mount-path",),
        "where secrets are mounted",
        env="USER_SECRETS_MOUNT_PATH",
        options={"metavar": "PATH"},
    ),
    Flag(
        ("--user-secrets-prefix",),
        "prefix of secrets in the environment",
        env="USER_SECRETS_PREFIX",
        options={"metavar": "PREFIX"},
    ),
)


def add_flags(parser: argparse._ActionsContainer, flags: Iterable[Flag]) -> None:
    """Add flags to a command's parser, their twins named in the help."""
    for flag in flags:
        twin = f" [environment: {flag.env}]" if flag.env else ""
        refused = " (refused)" if flag.refused else ""
        parser.add_argument(*flag.names, help=flag.help + refused + twin, **flag.options)


def flags_of(command: str) -> tuple[Flag, ...]:
    """The flags of one command."""
    own = tuple(flag for flag in FLAGS if command in flag.commands)
    return own or _REGISTERED.get(command, ())


_REGISTERED: dict[str, tuple[Flag, ...]] = {}


def register(command: str, flags: tuple[Flag, ...]) -> None:
    """Give a command flags that have environment twins."""
    _REGISTERED[command] = flags


def with_environment(
    arguments: Sequence[str], environment: Mapping[str, str]
) -> tuple[list[str], frozenset[str]]:
    """Arguments with the twins of absent flags added, and the options that they gave.

    Only the long name counts as present: ``-cd`` and ``CODE_DIR`` together give the flag twice,
    and the variable wins, as in DRUM.
    """
    completed = list(arguments)
    given: set[str] = set()
    command = next((word for word in arguments if not word.startswith("-")), "")
    for flag in flags_of(command):
        value = _twin(flag, environment)
        if not value or _is_present(flag.long, arguments) or _is_excluded(flag.long, arguments):
            continue
        if flag.is_switch:
            words = [flag.long] if _is_true(value, str(flag.env)) else []
        elif flag.options.get("nargs") == "+":
            words = [flag.long, *value.split()]
        else:
            words = [f"{flag.long}={value}"]
        if words:
            completed += words
            given.add(flag.dest)
    return completed, frozenset(given)


def _twin(flag: Flag, environment: Mapping[str, str]) -> str:
    names = [name for name in (flag.env, flag.env_else) if name]
    return next((environment[name] for name in names if environment.get(name)), "")


def _is_present(name: str, arguments: Sequence[str]) -> bool:
    return any(word == name or word.startswith(name + "=") for word in arguments)


def _is_excluded(name: str, arguments: Sequence[str]) -> bool:
    """The other way to say the class labels is on the command line."""
    rivals = {
        "--class-labels": "--class-labels-file",
        "--class-labels-file": "--class-labels",
    }
    return name in rivals and _is_present(rivals[name], arguments)


def _is_true(value: str, variable: str) -> bool:
    found = boolean(value, none_is_false=True)
    if found is None:
        raise SettingsError(
            f"the environment variable {variable} is {value!r}: expected true or false. "
            "Set it to one of them, or unset it."
        )
    return found
