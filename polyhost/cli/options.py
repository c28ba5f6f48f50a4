"""From parsed flags to typed settings, and the checks that argparse cannot make."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from polyhost.cli.flags import Flag
from polyhost.errors import SettingsError
from polyhost.settings import Setting, Source, TargetSettings

if TYPE_CHECKING:
    from polyhost.predictor import ModelSpec


def check_labels(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    """Labels that cannot stand together end the program with 2, as a parse error does."""
    if bool(options.positive_class_label) != bool(options.negative_class_label):
        parser.error("--positive-class-label and --negative-class-label need each other")
    if options.class_labels and options.class_labels_file:
        parser.error("--class-labels and --class-labels-file exclude each other")


def refuse_unserved(options: argparse.Namespace, flags: Iterable[Flag]) -> None:
    """SettingsError for a flag that has no effect here and never will."""
    for flag in flags:
        if flag.refused and getattr(options, flag.dest):
            name = flag.env if flag.dest in options.from_environment else flag.long
            raise SettingsError(f"{name} is not supported: {flag.refused}.")


def spoken(options: argparse.Namespace, flags: Iterable[Flag]) -> dict[str, Any]:
    """What was common, on the command line or by the environment, by the flag's name."""
    values = {flag.dest: getattr(options, flag.dest) for flag in flags}
    silent = {flag.dest: (None, False, flag.options.get("default")) for flag in flags}
    return {dest: value for dest, value in values.items() if value not in silent[dest]}


def as_words(values: Mapping[str, Any], flags: Iterable[Flag]) -> list[str]:
    """A command line that says these values."""
    words: list[str] = []
    for flag in flags:
        value = values.get(flag.dest)
        if value is None:
            continue
        words.append(flag.long)
        if isinstance(value, (list, tuple)):
            words += map(str, value)
        elif not flag.is_switch:
            words.append(str(value))
    return words


def target_settings(options: argparse.Namespace) -> TargetSettings:
    """What the flags and the environment say of the model's answers."""
    return TargetSettings(
        type=_setting(options, "target_type", options.target_type),
        binary_labels=_binary_labels(options),
        class_labels=_class_labels(options),
        name=_target_name(options),
    )


def _binary_labels(options: argparse.Namespace) -> Setting[tuple[str, ...]]:
    if not options.positive_class_label:
        return Setting(())
    labels = (options.positive_class_label, options.negative_class_label)
    return _setting(options, "positive_class_label", labels)


def _class_labels(options: argparse.Namespace) -> Setting[tuple[str, ...]]:
    if options.class_labels_file:
        from polyhost.code_dir.metadata import read_labels

        return _setting(options, "class_labels_file", read_labels(options.class_labels_file))
    return _setting(options, "class_labels", tuple(options.class_labels or ()))


def _target_name(options: argparse.Namespace) -> Setting[str | None]:
    name = options.environment.get("TARGET_NAME")
    return Setting(name, Source.ENVIRONMENT, "TARGET_NAME") if name else Setting(None)


def _setting(options: argparse.Namespace, dest: str, value: Any) -> Setting[Any]:
    if not value:
        return Setting(value)
    if dest in options.from_environment:
        return Setting(value, Source.ENVIRONMENT, dest.upper())
    return Setting(value, Source.FLAG, "--" + dest.replace("_", "-"))


def export_settings(options: argparse.Namespace) -> None:
    """Set the variables of runtime parameters, secrets and files to fetch, for this process and
    those it starts."""
    for dest in ("user_secrets_mount_path", "user_secrets_prefix"):
        if getattr(options, dest, None):
            os.environ[dest.upper()] = getattr(options, dest)
    if getattr(options, "allow_dr_api_access", False):  # read by DataRobot's client when first used
        endpoint = options.webserver.rstrip("/")
        os.environ["DATAROBOT_ENDPOINT"] = f"{endpoint.removesuffix('/api/v2')}/api/v2"
        os.environ["DATAROBOT_API_TOKEN"] = options.api_token
    if getattr(options, "runtime_params_file", None):
        from polyhost.code_dir.parameter_file import export_file

        export_file(options.code_dir, options.runtime_params_file, os.environ)
    if getattr(options, "lazy_loading_file", None):
        from polyhost.code_dir import fetch

        fetch.export_file(options.lazy_loading_file, os.environ)


def fetch_files(options: argparse.Namespace) -> None:
    """Fetch what the model's folder lacks, before anything in it is looked at."""
    if os.environ.get("MLOPS_LAZY_LOADING_DATA"):
        from polyhost.code_dir import fetch

        fetch.fetch(options.code_dir, os.environ)


def monitoring(options: argparse.Namespace) -> dict[str, Any] | None:
    """How predictions are reported; None when they are not."""
    embedded = bool(getattr(options, "monitor_embedded", False))
    if not (embedded or getattr(options, "monitor", False)):
        return None
    return {
        "embedded": embedded,
        "deployment_id": options.deployment_id,
        "model_id": options.model_id,
        "settings": options.monitor_settings,
        "webserver": options.webserver,
        "api_token": options.api_token,
    }


def invocation(options: argparse.Namespace) -> dict[str, Any]:
    """The command as DRUM gives it to predictors that configure themselves by it."""
    common: dict[str, Any] = {
        "allow_dr_api_access": bool(getattr(options, "allow_dr_api_access", False)),
        "model_id": getattr(options, "model_id", None),
        "deployment_id": getattr(options, "deployment_id", None),
        "monitor_settings": getattr(options, "monitor_settings", None),
        "external_webserver_url": getattr(options, "webserver", None),
        "api_token": getattr(options, "api_token", None),
    }
    if hasattr(options, "address") and options.address:
        host, _, port = options.address.rpartition(":")
        specific = {
            "host": host or options.address,
            "port": int(port) if host and port.isdigit() else None,
            "show_perf": options.show_perf,
            "processes": options.max_workers or None,
            "deployment_config": options.deployment_config,
        }
    else:
        specific = {
            "input_filename": _first(getattr(options, "input", None)),
            "output_filename": getattr(options, "output", None),
            "sparse_column_file": getattr(options, "sparse_column_file", None),
            "query_params": getattr(options, "query", None),
            "content_type": getattr(options, "content_type", None),
        }
    plain = (str, int, bool, type(None))
    return common | {key: v if isinstance(v, plain) else str(v) for key, v in specific.items()}


def _first(value: Any) -> Any:
    return value[0] if isinstance(value, list) else value


def model_spec(options: argparse.Namespace, **extra: Any) -> ModelSpec:
    """The spec of the one model that the options name; ``extra`` joins its options."""
    from polyhost.code_dir.spec import spec_of

    return spec_of(
        options.code_dir,
        target_settings(options),
        language=options.language,
        options={
            "strict_rows": options.strict_rows,
            "positive_first": getattr(options, "positive_first", False),
            "monitoring": monitoring(options),
            "invocation": invocation(options),
            "unknown_levels": getattr(options, "unknown_levels", None),
            "extra_outputs": getattr(options, "extra_outputs", False),
            "allow_missing_columns": True,  # where a model can do without: DRUM does not ask
            **extra,
        },
        infer=True,
    )
