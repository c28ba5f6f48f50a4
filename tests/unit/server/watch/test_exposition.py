"""Metric families as text, in both formats."""

from __future__ import annotations

from polyhost.server.watch.exposition import Family, accepts_openmetrics, merge, render


def families() -> list[Family]:
    count = Family("a_requests", "counter", "Requests.")
    count.add(2, model='odd "name"\\\n', code="200")
    time = Family("b_seconds", "histogram", "Seconds.")
    time.add_histogram((0.5, 1.0), [3, 0, 1], 4.25, model="m")
    depth = Family("c_depth", "gauge", "Depth.")
    depth.add(0)
    return [count, time, depth]


SAMPLES = r"""b_seconds_bucket{model="m",le="0.5"} 3
b_seconds_bucket{model="m",le="1.0"} 3
b_seconds_bucket{model="m",le="+Inf"} 4
b_seconds_count{model="m"} 4
b_seconds_sum{model="m"} 4.25
# HELP c_depth Depth.
# TYPE c_depth gauge
c_depth 0
"""

PROMETHEUS = (
    r"""# HELP a_requests_total Requests.
# TYPE a_requests_total counter
a_requests_total{model="odd \"name\"\\\n",code="200"} 2
# HELP b_seconds Seconds.
# TYPE b_seconds histogram
"""
    + SAMPLES
)


def test_prometheus_text() -> None:
    assert render(families()).decode() == PROMETHEUS


def test_openmetrics_declares_counters_without_total_and_ends() -> None:
    declared = PROMETHEUS.replace(" a_requests_total Req", " a_requests Req")
    declared = declared.replace("TYPE a_requests_total", "TYPE a_requests")
    assert render(families(), openmetrics=True).decode() == declared + "# EOF\n"


def test_processes_are_added_up() -> None:
    doubled = {family.name: family.samples for family in merge([families(), families()])}
    assert doubled == {
        family.name: {key: 2 * value for key, value in family.samples.items()}
        for family in families()
    }


def test_openmetrics_is_for_those_who_name_it() -> None:
    assert accepts_openmetrics("application/openmetrics-text;version=1.0.0,text/plain;q=0.5")
    assert not accepts_openmetrics("text/html, */*")
