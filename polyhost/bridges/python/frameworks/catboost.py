"""CatBoost: its classifiers, regressors and rankers, pickled or in its own file format."""

from __future__ import annotations

from pathlib import Path
from typing import Any, List, Optional, Tuple

from polyhost.bridges.python.frameworks import estimators, pickled
from polyhost.bridges.python.frameworks.arrays import as_table, check_width
from polyhost.bridges.python.frameworks.columns import Columns
from polyhost.bridges.python.frameworks.expected import Expected
from polyhost.bridges.python.frameworks.given import column_infos, given
from polyhost.bridges.python.frameworks.libraries import library
from polyhost.bridges.python.frameworks.sklearn_schema import FRAME, Inputs
from polyhost.data.column_info import ERROR, NUMBER, TEXT
from polyhost.data.payload import Table
from polyhost.data.target import Target, TargetType
from polyhost.errors import LoadError, SchemaMismatch
from polyhost.pipeline.infer_target import target_of_labels
from polyhost.predictor import ArtifactTarget, GuestInfo

NAME = "catboost"
_OWN_FORMAT = ".cbm"
_ONE_THREAD = 1000
"""Rows up to which starting threads costs more than they save."""
_CLASSIFIERS = (
    *("Logloss", "CrossEntropy", "MultiClass", "MultiClassOneVsAll"),
    *("MultiLogloss", "MultiCrossEntropy"),
)
_SEVERAL = ("MultiLogloss", "MultiCrossEntropy", "MultiRMSE", "MultiRMSEWithMissingValues")

_EXPONENTS = ("Poisson", "Tweedie")
"""Losses whose regressors predict the exponential of the raw value."""


class CatBoostFramework:
    """Probabilities for classification, ``predict`` for values."""

    name = NAME
    extensions = (_OWN_FORMAT, ".pkl", ".joblib")

    def load(self, artifact: Path) -> Any:
        if not artifact.name.lower().endswith(_OWN_FORMAT):
            return pickled.load(artifact)
        return library(NAME).CatBoost().load_model(str(artifact))

    def accepts(self, model: Any) -> bool:
        return estimators.derives(model, "catboost.core", "CatBoost")

    def built_in(self, model: Any, target: Target) -> CatBoostModel:
        return CatBoostModel(model, target)

    def target_of(self, model: Any) -> Optional[ArtifactTarget]:
        """What a model was trained for, by its loss; None for several targets a row."""
        loss = _loss(model)
        if loss in _SEVERAL:
            return None
        labels = tuple(map(str, model.classes_))
        if loss in _CLASSIFIERS:
            return target_of_labels(labels) if labels else None
        return TargetType.REGRESSION, ()


class CatBoostModel:
    """A model with its columns.

    Categories are text to it, or whole numbers, which it takes for their text. It keeps hashes of
    the levels that it was trained with, so that they are not known; a level that it did not see
    has a rule of the library.
    """

    def __init__(self, model: Any, target: Target) -> None:
        loss = _loss(model)
        classifies = target.type.is_classification
        if classifies and loss not in _CLASSIFIERS:
            raise LoadError(
                f"the CatBoost model was trained with loss {loss!r}, which gives no probabilities: "
                f"expected one of {', '.join(_CLASSIFIERS)} for target type {target.type.value!r}. "
                "Start it with the target type that it was trained for, or define a score hook.",
                language="python",
                found=loss,
            )
        self._model = model
        self._target = target
        self._kind = "Probability" if classifies else "RawFormulaVal"
        if loss in _EXPONENTS and not classifies:
            self._kind = "Exponent"
        self._labels: Tuple[str, ...] = tuple(map(str, model.classes_)) if classifies else ()
        if self._labels:
            check_width(len(self._labels), target, NAME)
        self._inputs = _inputs(model)
        self._columns = Columns(self._inputs.names, len(self._inputs.columns or ()))
        self.info = GuestInfo(
            framework=NAME,
            labels=self._labels,
            columns=column_infos(self._inputs),
            schema_source="model",
            row_wise=True,
        )

    def predict(self, data: Any) -> Table:
        """Predictions for a DataFrame or a Table."""
        if not isinstance(data, Table):
            data = self._columns.frame(data)
        rows = given(self._inputs, data)
        threads = 1 if len(rows) <= _ONE_THREAD else -1
        try:
            found = self._model.predict(rows, prediction_type=self._kind, thread_count=threads)
        except library(NAME).CatBoostError as error:
            raise SchemaMismatch(
                f"the model cannot take this data: {str(error).rstrip('.')}. Send columns and "
                "values such as it was trained with.",
                native_type=type(error).__name__,
                native_message=str(error),
            ) from error
        return as_table(found, self._target, self._labels)


def _loss(model: Any) -> str:
    """The loss that a model was trained with, without its parameters."""
    return str(model.get_all_params().get("loss_function", "")).partition(":")[0]


def _inputs(model: Any) -> Inputs:
    names = tuple(map(str, model.feature_names_))
    texts = {*model.get_cat_feature_indices(), *model.get_text_feature_indices()}
    if model.get_embedding_feature_indices():
        raise LoadError(
            "the CatBoost model takes embeddings, which are lists of numbers in one column: "
            "expected numbers, categories and texts. Define a score hook.",
            language="python",
        )
    columns: List[Expected] = [
        Expected(TEXT, missing=ERROR) if i in texts else Expected(NUMBER) for i in range(len(names))
    ]
    if names == tuple(map(str, range(len(names)))):  # it was trained with an array
        return Inputs(FRAME, columns=tuple(columns))
    return Inputs(FRAME, names, tuple(columns))
