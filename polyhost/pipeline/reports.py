"""Reports of what a model predicted: to DataRobot where its library is set up, else to a folder.

Model code knows a reporter as ``mlops``; with ``--monitor`` the pipeline reports by itself.
A report that fails is logged and never fails a request.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Callable, Dict, List, Mapping, Optional, Protocol, Sequence

from polyhost.data.payload import Payload, Scores, Table
from polyhost.files.replace import replacing, write_whole

logger = logging.getLogger(__name__)

FOLDER = "POLYHOST_REPORTS"
"""Variable that names the folder of local reports."""
FLUSH_ROWS = 10_000
FLUSH_SECONDS = 5.0
CSV_TYPES = ("", "text/csv", "text/plain")


class Reporter(Protocol):
    """What ``mlops`` is to a hook."""

    def report_deployment_stats(
        self, num_predictions: int, execution_time_ms: Optional[float] = None
    ) -> None:
        """Count predictions, and the milliseconds that they took."""
        ...

    def report_predictions_data(
        self,
        features_df: Any = None,
        predictions: Optional[Sequence[Any]] = None,
        association_ids: Optional[Sequence[Any]] = None,
        class_names: Optional[Sequence[str]] = None,
    ) -> None:
        """Keep features and predictions, one value or one list of probabilities a row."""
        ...

    def close(self) -> None:
        """Send what waits."""
        ...


@dataclass(frozen=True)
class Monitoring:
    """Who reports, for which deployment, and how. Plain data, part of a spec's options."""

    embedded: bool = False
    deployment_id: Optional[str] = None
    model_id: Optional[str] = None
    settings: Optional[str] = None
    webserver: Optional[str] = None
    api_token: Optional[str] = None

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> Optional[Monitoring]:
        """What a spec's options say under ``monitoring``; None when nobody reports."""
        found = options.get("monitoring")
        return cls(**found) if found else None


def reporter_for(monitoring: Monitoring) -> Reporter:
    """DataRobot's own client where it is installed and set up, else a local one."""
    if monitoring.deployment_id and (
        monitoring.settings or (monitoring.webserver and monitoring.api_token)
    ):
        client = _library()
        if client is not None:
            return DataRobotReporter(client(), monitoring)
        logger.info("datarobot-mlops is not installed: reports stay in %s", folder(monitoring))
    return LocalReporter(folder(monitoring), monitoring.deployment_id, monitoring.model_id)


def _library() -> Optional[Callable[[], Any]]:
    """The class of DataRobot's client; the library was renamed in version 11."""
    for name in ("datarobot_mlops.mlops", "datarobot.mlops.mlops"):
        try:
            found: Callable[[], Any] = import_module(name).MLOps
        except ImportError:
            continue
        return found
    return None


def folder(monitoring: Optional[Monitoring] = None) -> Path:
    """The folder of local reports: of the settings' ``directory``, of the environment, else one
    under the user's home."""
    settings = (monitoring.settings if monitoring else None) or ""
    pairs = (pair.partition("=") for pair in settings.split(";"))
    named = {key.strip(): value.strip() for key, _, value in pairs}.get("directory")
    place = named or os.environ.get(FOLDER)
    if place:
        return Path(place)
    state = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(state) / "polyhost" / "reports"


class DataRobotReporter:
    """DataRobot's client, set up for one deployment."""

    def __init__(self, client: Any, monitoring: Monitoring) -> None:
        client.set_deployment_id(monitoring.deployment_id)
        if monitoring.model_id:
            client.set_model_id(monitoring.model_id)
        if monitoring.settings:
            client.set_channel_config(monitoring.settings)
        else:
            client.set_api_spooler(
                mlops_service_url=monitoring.webserver, mlops_api_token=monitoring.api_token
            )
            client.set_async_reporting(True)
        self._client = client.init()

    def report_deployment_stats(
        self, num_predictions: int, execution_time_ms: Optional[float] = None
    ) -> None:
        self._client.report_deployment_stats(num_predictions, execution_time_ms)

    def report_predictions_data(
        self,
        features_df: Any = None,
        predictions: Optional[Sequence[Any]] = None,
        association_ids: Optional[Sequence[Any]] = None,
        class_names: Optional[Sequence[str]] = None,
    ) -> None:
        self._client.report_predictions_data(
            features_df=features_df,
            predictions=predictions,
            association_ids=association_ids,
            class_names=class_names,
        )

    def close(self) -> None:
        self._client.shutdown()


class LocalReporter:
    """A folder with ``<process>.prom``, counters in Prometheus' text form, and with
    ``<process>-<number>.parquet``, the predictions and features reported.

    ``polyhost reports`` prints both. Rows wait a few seconds before they are written. The two counters
    are written here, not by prometheus_client: the model's own interpreter need not have it.
    """

    def __init__(
        self, place: Path, deployment_id: Optional[str] = None, model_id: Optional[str] = None
    ) -> None:
        self._place = place
        self._who = {"deployment": deployment_id or "", "model": model_id or ""}
        self._predictions = 0
        self._milliseconds = 0.0
        self._frames: List[Any] = []
        self._rows = self._parts = 0
        self._written = time.monotonic()
        self._lock = threading.RLock()  # several calls may report at once

    def report_deployment_stats(
        self, num_predictions: int, execution_time_ms: Optional[float] = None
    ) -> None:
        with self._lock:
            self._predictions += int(num_predictions)
            self._milliseconds += float(execution_time_ms or 0.0)
            self._flush_in_time()

    def report_predictions_data(
        self,
        features_df: Any = None,
        predictions: Optional[Sequence[Any]] = None,
        association_ids: Optional[Sequence[Any]] = None,
        class_names: Optional[Sequence[str]] = None,
    ) -> None:
        frame = _frame(features_df, predictions, association_ids, class_names)
        frame.insert(0, "reported_at", time.time())
        frame.insert(1, "deployment", self._who["deployment"])
        with self._lock:
            self._frames.append(frame)
            self._rows += len(frame)
            self._flush_in_time()

    def close(self) -> None:
        with self._lock:
            self.flush()

    def _flush_in_time(self) -> None:
        late = time.monotonic() - self._written > FLUSH_SECONDS
        if late or self._rows >= FLUSH_ROWS:
            self.flush()

    def flush(self) -> None:
        """Write what waits."""
        self._written = time.monotonic()
        self._place.mkdir(parents=True, exist_ok=True)
        name = f"{os.getpid()}-{id(self):x}"
        write_whole(self._place / f"{name}.prom", self._counters().encode())
        if self._frames:
            import pandas as pd

            waiting, self._frames, self._rows = self._frames, [], 0
            self._parts += 1
            part = self._place / f"{name}-{self._parts}.parquet"
            with replacing(part) as file:
                _as_text(pd.concat(waiting, ignore_index=True)).to_parquet(file)

    def _counters(self) -> str:
        labels = ",".join(f"{key}={_quoted(value)}" for key, value in self._who.items())
        lines = []
        for name, value in (
            ("polyhost_reported_predictions_total", self._predictions),
            ("polyhost_reported_milliseconds_total", self._milliseconds),
        ):
            lines += [f"# TYPE {name} counter", f"{name}{{{labels}}} {value}"]
        return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def _frame(features: Any, predictions: Any, ids: Any, names: Any) -> Any:
    import pandas as pd

    columns: Dict[str, Any] = {}
    values = list(predictions) if predictions is not None else []
    if values and isinstance(values[0], (list, tuple)):
        labels = names or [str(i) for i in range(len(values[0]))]
        for i, label in enumerate(labels):
            columns[f"prediction.{label}"] = [row[i] for row in values]
    elif values:
        columns["prediction"] = values
    if ids is not None:
        columns["association_id"] = [str(each) for each in ids]
    frame = pd.DataFrame(columns)
    if features is not None:
        given = features.reset_index(drop=True).add_prefix("feature.")
        frame = pd.concat([frame, given], axis=1)
    return frame


def _as_text(frame: Any) -> Any:
    """Columns of mixed types as text, which Parquet can hold."""
    mixed = [name for name in frame.columns if frame[name].dtype == object]
    return frame.astype(dict.fromkeys(mixed, "string")) if mixed else frame


class Monitor:
    """Reports each structured prediction for a pipeline."""

    def __init__(self, reporter: Reporter) -> None:
        self._reporter = reporter

    def predicted(self, request: Any, scores: Scores, seconds: float) -> None:
        """Report one call; what fails is logged."""
        try:
            table = scores.predictions
            self._reporter.report_deployment_stats(table.rows, seconds * 1000)
            single = len(table.names) == 1
            rows = table.to_pandas().to_numpy().tolist()
            self._reporter.report_predictions_data(
                features_df=_features(request),
                predictions=[row[0] for row in rows] if single else rows,
                class_names=None if single else list(table.names),
            )
        except Exception:
            logger.exception("a report of %d prediction(s) failed", scores.predictions.rows)

    def close(self) -> None:
        """Send what waits."""
        self._reporter.close()


def _features(request: Any) -> Any:
    if isinstance(request, Table):
        return request.to_pandas()
    assert isinstance(request, Payload)
    if request.table is not None:
        return request.table.to_pandas()
    if request.mimetype.lower() in CSV_TYPES:
        from polyhost.formats.csv import read_frame

        return read_frame(request.body)
    return None
