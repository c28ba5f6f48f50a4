"""The bill of an image: what CycloneDX's own schema asks for, and each package's address."""

from __future__ import annotations

import json

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from support.drop_in import bill

CONTENTS = [
    {"kind": "deb", "name": "libc6", "version": "2.36-9+deb12u10", "architecture": "amd64"},
    {"kind": "pypi", "name": "numpy", "version": "2.4.6", "license": "BSD-3-Clause"},
    {"kind": "cran", "name": "caret", "version": "6.0-93"},
    {"kind": "maven", "group": "ai.h2o", "name": "h2o-genmodel", "version": "3.46.0.6"},
    {"kind": "generic", "name": "a.jar", "version": "", "sha256": 64 * "a"},
    {"kind": "julia", "name": "MLJ", "version": "0.16.0"},
]


def test_the_bill_of_an_image():
    text = bill("r_lang", CONTENTS)
    assert JsonStrictValidator(SchemaVersion.V1_5).validate_str(text) is None
    found = json.loads(text)
    assert found["metadata"]["component"]["name"] == "polyhost-r-lang"
    assert sorted(one["purl"] for one in found["components"]) == [
        "pkg:cran/caret@6.0-93",
        "pkg:deb/debian/libc6@2.36-9%2Bdeb12u10?arch=amd64",
        "pkg:generic/a.jar",
        "pkg:julia/MLJ@0.16.0",
        "pkg:maven/ai.h2o/h2o-genmodel@3.46.0.6",
        "pkg:pypi/numpy@2.4.6",
    ]
    (numpy,) = [one for one in found["components"] if one["name"] == "numpy"]
    assert numpy["licenses"] == [{"expression": "BSD-3-Clause"}]
