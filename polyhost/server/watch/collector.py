"""What a scrape shows, in prometheus_client's families and formats.

Nothing here runs while requests are served: the counts are plain numbers (``metrics.py``), and
this module, which takes prometheus_client along, is imported at the first scrape.
"""

from __future__ import annotations

from typing import Dict, Iterable, List, Mapping, Tuple

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from polyhost import __version__
from polyhost.host.model_slot import ModelSlot
from polyhost.host.pool import State
from polyhost.server.watch.metrics import Histogram, Metrics, ModelMeter
from polyhost.wire.worker_counters import COUNTERS


class Scrape(Collector):
    """The families of one answer."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = list(families)

    def collect(self) -> Iterable[Metric]:
        """The families, in their order."""
        return self._families


def encoded(families: Iterable[Metric], accept: str) -> Tuple[bytes, str]:
    """The text and its content type, in the format that the client's Accept header prefers."""
    encode, content_type = choose_encoder(accept)
    return encode(Scrape(families)), content_type  # type: ignore[arg-type,unused-ignore]


def counts(metrics: Metrics) -> List[Metric]:
    """What was counted, as it is now."""
    meters = metrics.by_model()
    return [*_outcomes(metrics.by_version()), *_requests(meters), *_work(meters), *_named(meters)]


def state(models: Iterable[ModelSlot], busy_elsewhere: Mapping[str, int]) -> List[Metric]:
    """How models are now; ``busy_elsewhere``: requests of each that other processes hold."""
    models = list(models)
    return [*_queues(models, busy_elsewhere), *_life(models)]


def memory(workers: Mapping[str, int], host: int, held: int, limit: int) -> List[Metric]:
    """Bytes: of each model's workers, of the host, and of bodies."""
    of_workers = GaugeMetricFamily(
        "polyhost_worker_pss_bytes", "Memory (PSS) of all workers of the model.", labels=["model"]
    )
    for model, size in workers.items():
        of_workers.add_metric([model], size)
    return [
        of_workers,
        GaugeMetricFamily("polyhost_host_pss_bytes", "Memory (PSS) of the host process.", host),
        GaugeMetricFamily(
            "polyhost_bodies_held_bytes", "Bytes of spooled bodies not answered.", held
        ),
        GaugeMetricFamily(
            "polyhost_bodies_limit_bytes", "Bytes of bodies that may be held.", limit
        ),
    ]


def build_info() -> Metric:
    """The version."""
    info = GaugeMetricFamily("polyhost_build_info", "The version of polyhost.", labels=["version"])
    info.add_metric([__version__], 1)
    return info


def _outcomes(meters: Iterable[ModelMeter]) -> List[Metric]:
    labels = ["model", "version"]
    success = CounterMetricFamily(
        "model_infer_request_success", "Requests answered with a status under 400.", labels=labels
    )
    failure = CounterMetricFamily(
        "model_infer_request_failure", "Requests answered otherwise.", labels=labels
    )
    for meter in meters:
        codes = [item for route in meter.routes.values() for item in route.codes.items()]
        key = [meter.name, meter.version]
        success.add_metric(key, sum(count for code, count in codes if code < 400))
        failure.add_metric(key, sum(count for code, count in codes if code >= 400))
    return [success, failure]


def _requests(meters: Iterable[ModelMeter]) -> List[Metric]:
    requests = CounterMetricFamily(
        "polyhost_requests",
        "Requests by protocol and status.",
        labels=["model", "protocol", "code"],
    )
    seconds = HistogramMetricFamily(
        "polyhost_request_seconds",
        "Seconds from a request to its answer.",
        labels=["model", "protocol"],
    )
    for meter in meters:
        for protocol, route in meter.routes.items():
            for code, count in route.codes.items():
                requests.add_metric([meter.name, protocol, str(code)], count)
            _add(seconds, [meter.name, protocol], route.seconds)
    return [requests, seconds]


def _work(meters: Iterable[ModelMeter]) -> List[Metric]:
    predict = HistogramMetricFamily(
        "request_predict_seconds", "Seconds that requests spent in a worker.", labels=["model_name"]
    )
    rows = CounterMetricFamily("polyhost_rows", "Rows predicted.", labels=["model"])
    batches = HistogramMetricFamily(
        "polyhost_batch_size", "Requests that shared one call.", labels=["model"]
    )
    for meter in meters:
        _add(predict, [meter.name], meter.predict)
        rows.add_metric([meter.name], meter.rows)
        _add(batches, [meter.name], meter.batches)
    return [predict, rows, batches]


def _named(meters: Iterable[ModelMeter]) -> List[Metric]:
    """What bridges count: a family for each row of the table of worker counters."""
    families: Dict[str, CounterMetricFamily] = {
        name: CounterMetricFamily(f"polyhost_{name}", known.help, labels=["model", *known.labels])
        for name, known in COUNTERS.items()
    }
    for meter in meters:
        for (name, labels), value in meter.named.items():
            families[name].add_metric([meter.name, *labels], value)
    return list(families.values())


def _add(family: HistogramMetricFamily, labels: List[str], histogram: Histogram) -> None:
    count, buckets = 0, []
    for bound, held in zip((*histogram.bounds, float("inf")), histogram.counts):
        count += held
        buckets.append(("+Inf" if bound == float("inf") else str(float(bound)), count))
    family.add_metric(labels, buckets, histogram.total)  # type: ignore[arg-type,unused-ignore]


def _queues(models: Iterable[ModelSlot], busy_elsewhere: Mapping[str, int]) -> List[Metric]:
    running = GaugeMetricFamily(
        "polyhost_in_progress", "Requests accepted and not yet answered.", labels=["model"]
    )
    queue = GaugeMetricFamily(
        "polyhost_queue_depth", "Requests that wait for a worker.", labels=["model"]
    )
    for model in models:
        running.add_metric([model.name], model.busy + busy_elsewhere.get(model.name, 0))
        queue.add_metric([model.name], model.queued)
    return [running, queue]


def _life(models: Iterable[ModelSlot]) -> List[Metric]:
    ready = GaugeMetricFamily(
        "polyhost_model_ready", "1 when the model can answer.", labels=["model", "language"]
    )
    state = GaugeMetricFamily(
        "polyhost_model_state",
        "1 for the state that the model is in.",
        labels=["model", "version", "state"],
    )
    wanted = GaugeMetricFamily(
        "polyhost_workers_wanted", "Workers that the model should have.", labels=["model"]
    )
    workers = GaugeMetricFamily(
        "polyhost_workers_ready", "Workers of the model that can answer.", labels=["model"]
    )
    restarts = CounterMetricFamily(
        "polyhost_worker_restarts", "Workers that ended and were replaced.", labels=["model"]
    )
    for model in models:
        config, name = model.config, model.name
        ready.add_metric([name, config.spec.language], int(model.any_ready))
        for member in State:
            state.add_metric([name, config.version, member.value], int(model.state is member))
        wanted.add_metric([name], config.workers)
        workers.add_metric([name], model.ready_workers)
        restarts.add_metric([name], model.restarts)
    return [ready, state, wanted, workers, restarts]
