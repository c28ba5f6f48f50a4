"""PMML documents; values are those of their own formulas. PyPMML runs a JVM beside the test."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

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
