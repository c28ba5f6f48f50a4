"""Times by H2O's rules; the milliseconds are those of its own parser (``ParseTime``, in UTC)."""

from __future__ import annotations

import datetime

import numpy as np
import pytest

from polyhost.data import h2o_times

BY_H2O = {
    "2020-01-02": 1577923200000,
    "2020-1-2": 1577923200000,
    "2020-01": 1577836800000,
    "1/2/68": 3092688000000,
    "1/2/69": -31449600000,
    "1/2/99": 915235200000,
    "1/2/1999": 915235200000,
    "01/02/2020": 1577923200000,
    "01-02-20": 1577923200000,
    "2-1-2020": 1580515200000,
    "12-31-2020": 1609372800000,
    "02-Jan-20": 1577923200000,
    "02-Jan-69": -31449600000,
    "2Jan2020": 1577923200000,
    "02JAN2020": 1577923200000,
    "02-january-2020": 1577923200000,
    "2020-01-02 03:04:05": 1577934245000,
    "2020-01-02 03:04:05.678": 1577934245678,
    "1/2/2020 03:04:05": 1577934245000,
    "02-Jan-20 03:04:05": 1577934245000,
    "03:04:05": 11045000,
    "3:04:05.678": 11045678,
    " 2020-01-02 ": 1577923200000,
    "1899-12-31": -2209075200000,
    "0001-01-01": -62135596800000,
}
ISO = {
    "2020-01-02T03:04:05Z": (2020, 1, 2, 3, 4, 5),
    "2020-01-02T03:04:05+02:00": (2020, 1, 2, 1, 4, 5),
    "2020-01-02 03:04": (2020, 1, 2, 3, 4),
    "2020/01/02": (2020, 1, 2),
    "2020-01-02 03:04:05.6": (2020, 1, 2, 3, 4, 5, 600000),
}


@pytest.mark.parametrize("text", BY_H2O)
def test_the_forms_of_its_parser(text):
    assert h2o_times.time(text) == np.datetime64(BY_H2O[text], "ms")


@pytest.mark.parametrize("text", ISO)
def test_iso_8601_beside_them(text):
    assert h2o_times.time(text) == np.datetime64(datetime.datetime(*ISO[text]), "us")


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [("1577923200000", 1577923200000), ("-1.5e3", -1500), ("20200102", 20200102)],
)
def test_a_number_counts_milliseconds(text, milliseconds):
    assert h2o_times.time(text) == np.datetime64(milliseconds, "ms")


@pytest.mark.parametrize("text", ["", "NA", "NaT", "null"])
def test_missing(text):
    assert h2o_times.time(text) is None


@pytest.mark.parametrize(
    "text",
    [
        *("13/02/2020", "2020-13-02", "2020-02-30", "31-12-2020", "2020-01-02 24:00:00", "x"),
        *("2020-01-02 12:04:05 AM", "1/2/020", "12-Foo-20", "true", "inf", "1e300"),
    ],
)
def test_what_is_no_time_is_refused(text):
    with pytest.raises(ValueError, match=r".+"):
        h2o_times.time(text)
