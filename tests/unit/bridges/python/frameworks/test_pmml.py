"""PMML documents; values are those of their own formulas. PyPMML runs a JVM beside the test."""

from __future__ import annotations

import datetime
import json

import numpy as np
import pandas as pd
import pytest
from support.bodies import Column, bodies

from polyhost.codecs import Request, dispatch
from polyhost.data.target import Target, TargetType

pytest.importorskip("pypmml", reason="pypmml is not installed (pip install pypmml)")

DOCUMENT = """\
<PMML version="4.3" xmlns="http://www.dmg.org/PMML-4_3"><Header/>
<DataDictionary numberOfFields="2">
<DataField name="a" optype="continuous" dataType="double"/>{target}</DataDictionary>
<RegressionModel {function}><MiningSchema><MiningField name="a"/>
<MiningField name="y" usageType="target"/></MiningSchema>{tables}</RegressionModel></PMML>
"""
VALUES = DOCUMENT.format(
    target='<DataField name="y" optype="continuous" dataType="double"/>',
    function='functionName="regression"',
    tables='<RegressionTable intercept="1"><NumericPredictor name="a" coefficient="2"/>'
    "</RegressionTable>",
)
CLASSES = DOCUMENT.format(
    target='<DataField name="y" optype="categorical" dataType="string"><Value value="no"/>'
    '<Value value="yes"/></DataField>',
    function='functionName="classification" normalizationMethod="logit"',
    tables='<RegressionTable intercept="1" targetCategory="yes">'
    '<NumericPredictor name="a" coefficient="2"/></RegressionTable>'
    '<RegressionTable intercept="0" targetCategory="no"/>',
)
FRAME = pd.DataFrame({"a": [1.0, -1.0]})


def test_values(opened):
    model = opened(Target(TargetType.REGRESSION), "model.pmml", VALUES.encode())
    assert model.predict(FRAME)["Predictions"].tolist() == [3.0, -1.0]
    assert (model.info.framework, model.info.columns[0].name) == ("pmml", "a")


def test_classes_have_their_own_labels(opened):
    model = opened(Target(TargetType.BINARY, ("yes", "no")), "model.pmml", CLASSES.encode())
    expected = 1 / (1 + np.exp(-np.array([3.0, -1.0])))
    np.testing.assert_allclose(model.predict(FRAME)["yes"], expected)


KINDS = """\
<PMML version="4.3" xmlns="http://www.dmg.org/PMML-4_3"><Header/>
<DataDictionary numberOfFields="6">
<DataField name="a" optype="continuous" dataType="double"/>
<DataField name="c" optype="categorical" dataType="string"><Value value="007"/>
<Value value="1000"/><Value value="NA"/><Value value="old" property="invalid"/></DataField>
<DataField name="k" optype="categorical" dataType="integer"><Value value="1"/><Value value="2"/>
</DataField>
<DataField name="b" optype="categorical" dataType="boolean"/>
<DataField name="d" optype="continuous" dataType="date"/>
<DataField name="y" optype="continuous" dataType="double"/></DataDictionary>
<RegressionModel functionName="regression"><MiningSchema><MiningField name="a"/>
<MiningField name="c" invalidValueTreatment="asIs"/><MiningField name="k"/>
<MiningField name="b"/><MiningField name="d"/><MiningField name="y" usageType="target"/>
</MiningSchema><RegressionTable intercept="1"><NumericPredictor name="a" coefficient="2"/>
<CategoricalPredictor name="c" value="007" coefficient="10"/>
<CategoricalPredictor name="c" value="1000" coefficient="20"/>
<CategoricalPredictor name="c" value="NA" coefficient="30"/>
<CategoricalPredictor name="k" value="2" coefficient="100"/>
<CategoricalPredictor name="b" value="true" coefficient="1000"/>
</RegressionTable></RegressionModel></PMML>
"""


def test_fields_have_the_kinds_of_the_data_dictionary(opened):
    model = opened(Target(TargetType.REGRESSION), "model.pmml", KINDS.encode())
    assert [(c.name, c.kind, c.levels) for c in model.info.columns] == [
        ("a", "number", ()),
        ("c", "category", ("007", "1000", "NA")),
        ("k", "category", ("1", "2")),
        ("b", "boolean", ()),
        ("d", "date", ()),
    ]


def test_every_format_gives_the_documents_value(opened):
    model = opened(Target(TargetType.REGRESSION), "model.pmml", KINDS.encode())
    day = datetime.date(2020, 1, 1)
    columns = [
        Column("a", "number", [1.0, 0.5, 0.0]),
        Column("c", "category", ["007", "1000", "NA"]),
        Column("k", "integer", [1, 2, 2]),
        Column("b", "boolean", [True, False, True]),
        Column("d", "date", [day, day, day]),
    ]
    expected = [1 + 2 + 10 + 1000, 1 + 1 + 20 + 100, 1 + 30 + 100 + 1000]
    for part, right in (
        (columns, expected),
        ([Column(c.name, c.kind, c.cells[2:]) for c in columns], expected[2:]),
    ):
        for body in bodies(part):
            request = Request("predict", "drum", body.content_type)
            answer = dispatch.answer(model.pipeline, request, body.data).body
            assert json.loads(answer)["predictions"] == right, body.format


def test_what_a_document_was_made_for(opened):
    model = opened(Target(TargetType.BINARY, ("yes", "no")), "model.pmml", CLASSES.encode())
    assert model.info.target_type == "binary"
    assert opened(Target(TargetType.REGRESSION), "model.pmml", KINDS.encode()).info.target_type == (
        "regression"
    )
