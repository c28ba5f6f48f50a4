"""The server against its own OpenAPI document: what it answers is what the document says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from support.served import Served

MODEL = """
import pandas as pd
def load_model(code_dir):
    return 1
def score(data, model, **kwargs):
    return pd.DataFrame({"Predictions": [1.0] * len(data)})
"""
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("model")
    (folder / "custom.py").write_text(MODEL, encoding="utf-8")
    served = Served.start(tmp_path_factory.mktemp("server"), folder, "--target-type", "regression")
    yield served
    served.stop()


def test_every_operation_answers_as_documented(server: Served) -> None:
    schema = schemathesis.openapi.from_url(f"http://127.0.0.1:{server.port}/openapi.json")
    operations = [result.ok() for result in schema.get_all_operations()]
    assert len(operations) > 5
    for operation in operations:
        check(operation)
    assert server.post("/predict/", "a\n1\n").json() == {"predictions": [1.0]}


def check(operation: Any) -> None:
    @settings(
        max_examples=25,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy())
    def run(case: Any) -> None:
        case.call_and_validate(checks=CHECKS)

    run()
