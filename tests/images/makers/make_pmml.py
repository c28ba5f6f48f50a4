"""Write a PMML model, an input and PMML4S's predictions: ``make_pmml.py SCENARIO OUT_DIR``."""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd
from pypmml import Model

PMML = """\
<PMML version="4.4" xmlns="http://www.dmg.org/PMML-4_4">
  <Header/>
  <DataDictionary numberOfFields="3">
    <DataField name="a" optype="continuous" dataType="double"/>
    <DataField name="b" optype="continuous" dataType="double"/>
    <DataField name="y" optype="continuous" dataType="double"/>
  </DataDictionary>
  <RegressionModel functionName="regression">
    <MiningSchema>
      <MiningField name="a"/><MiningField name="b"/><MiningField name="y" usageType="target"/>
    </MiningSchema>
    <RegressionTable intercept="2.5">
      <NumericPredictor name="a" coefficient="1.25"/>
      <NumericPredictor name="b" coefficient="-3"/>
    </RegressionTable>
  </RegressionModel>
</PMML>
"""

out = Path(sys.argv[2])
(out / "model").mkdir()
(out / "model" / "model.pmml").write_text(PMML, encoding="utf-8")
rows = pd.DataFrame({"a": [0.5, 1.0, -2.0], "b": [0.0, 4.0, 1.5]})
rows.to_csv(out / "input.csv", index=False)
native = Model.load(str(out / "model" / "model.pmml")).predict(rows)
native.set_axis(["Predictions"], axis=1).to_csv(out / "expected.csv", index=False)
Model.close()
