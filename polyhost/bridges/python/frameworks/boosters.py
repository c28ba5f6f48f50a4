"""What boosters of XGBoost and LightGBM expect of their columns: categories that pandas gave them."""

from __future__ import annotations

import json
import re
from typing import Any, Dict, List, Optional, Sequence, Tuple

import numpy as np

from polyhost.bridges.python.frameworks.expected import Expected, of_levels
from polyhost.data.column_info import ERROR, MISSING, NUMBER
from polyhost.data.payload import Column, Dictionary, Table
from polyhost.errors import LoadError

_NUMBER = Expected(NUMBER)
_CATEGORY_TYPE = "c"


def expected_by_wrapper(model: Any) -> Optional[List[Expected]]:
    """What a fitted scikit-learn wrapper of either library expects; None for any other model."""
    modules = {kind.__module__ for kind in type(model).__mro__}
    if "lightgbm.sklearn" in modules:
        return expected_by_lightgbm(model.booster_)
    return expected_by_xgboost(model.get_booster()) if "xgboost.sklearn" in modules else None


def has_categories(columns: Optional[Sequence[Expected]]) -> bool:
    """Whether a column is a category of a DataFrame."""
    return any(column.pandas_category for column in columns or ())


# XGBoost


def expected_by_xgboost(booster: Any) -> List[Expected]:
    """One record for each column. Categories are in the booster since XGBoost 3.1; those of an
    older one are numbers that its author made, and come as such."""
    types = booster.feature_types or ["float"] * booster.num_features()
    levels = _xgboost_levels(booster) if _CATEGORY_TYPE in types else {}
    return [
        # XGBoost takes an unknown category for its first one without a word.
        of_levels(levels[i], unknown=ERROR, pandas_category=True) if i in levels else _NUMBER
        for i, _ in enumerate(types)
    ]


def _xgboost_levels(booster: Any) -> Dict[int, List[Any]]:
    if not hasattr(booster, "get_categories"):
        return {}
    try:
        found = booster.get_categories(export_to_arrow=True).to_arrow()
    except ImportError:  # it needs pyarrow; the model's own JSON text has them too
        return _levels_in_json(booster)
    return {i: array.to_pylist() for i, (_, array) in enumerate(found) if array is not None}


def _levels_in_json(booster: Any) -> Dict[int, List[Any]]:
    model = json.loads(booster.save_raw(raw_format="json"))
    trees = model["learner"]["gradient_booster"]
    sets = trees.get("gbtree", trees).get("model", {}).get("cats", {})
    encodings, segments = sets.get("enc", []), sets.get("feature_segments", [])
    found: Dict[int, List[Any]] = {}
    for i, encoding in enumerate(encodings):
        if len(segments) > i + 1 and segments[i + 1] == segments[i]:
            continue
        values = encoding["values"]
        if "offsets" in encoding:
            raw, ends = bytes(value % 256 for value in values), encoding["offsets"]
            values = [raw[a:b].decode("utf-8") for a, b in zip(ends, ends[1:])]
        found[i] = list(values)
    return found


# LightGBM


def lightgbm_names(booster: Any) -> Optional[Tuple[str, ...]]:
    """Names of a booster's columns; None for made-up ones (``Column_0``): it was given none."""
    names = tuple(booster.feature_name())
    return None if names == tuple(f"Column_{i}" for i in range(len(names))) else names


def expected_by_lightgbm(booster: Any) -> List[Expected]:
    """One record for each column; LoadError when it cannot be known which ones the categories
    are."""
    width = booster.num_feature()
    lists = booster.pandas_categorical or []
    if not lists:
        return [_NUMBER] * width
    head = booster.model_to_string(num_iteration=1)
    unordered = _numbers_after(head, "[categorical_feature:")
    infos = _line_after(head, "feature_infos=").split()
    places = _places(lists, infos, unordered)
    if places is None:
        raise LoadError(
            f"the LightGBM model has {len(lists)} categories of a DataFrame, and does not say which of "
            f"its {width} columns they belong to: expected one way to assign them. Train it with "
            "unordered categories, or define a score hook.",
            language="python",
            found=lists,
        )
    columns = [_NUMBER] * width
    for place, levels in zip(places, lists):
        columns[place] = of_levels(
            levels, unknown=MISSING, ordered=place not in unordered, pandas_category=True
        )
    return columns


def _line_after(text: str, start: str) -> str:
    """The rest of the first line that begins so."""
    found = re.search("^" + re.escape(start) + "(.*)$", text, re.MULTILINE)
    return found[1].strip() if found else ""


def _numbers_after(text: str, start: str) -> List[int]:
    line = _line_after(text, start).rstrip("]")
    return [int(number) for number in line.split(",") if number.strip()]


def _places(
    lists: Sequence[Sequence[Any]], infos: Sequence[str], unordered: Sequence[int]
) -> Optional[Tuple[int, ...]]:
    """The column of each list of levels, in columns' order; None when there is not just one way.

    The model names the unordered ones; an ordered one looks like whole numbers from 0.
    """
    if len(lists) == len(unordered):
        return tuple(sorted(unordered))
    tight: List[Tuple[int, ...]] = []
    for exact in (True, False):
        tight = _ways(lists, infos, frozenset(unordered), exact)
        if len(tight) == 1:
            return tight[0]
        if tight:
            return None
    return None


def _ways(
    lists: Sequence[Sequence[Any]], infos: Sequence[str], unordered: frozenset[int], exact: bool
) -> List[Tuple[int, ...]]:
    ways: List[Tuple[Tuple[int, ...], int]] = [((), 0)]
    for place, info in enumerate(infos):
        following = []
        for taken, at in ways:
            if place not in unordered:
                following.append((taken, at))
            if at < len(lists) and (
                place in unordered or _may_be_codes(info, len(lists[at]), exact)
            ):
                following.append(((*taken, place), at + 1))
        ways = following[:10000]
    return [taken for taken, at in ways if at == len(lists)]


def _may_be_codes(info: str, levels: int, exact: bool) -> bool:
    """Whether a column that LightGBM took for numbers may hold codes of so many levels."""
    found = re.fullmatch(r"\[(-?\d+):(-?\d+)\]", info)
    if found is None:
        return info == "none" and not exact
    low, high = int(found[1]), int(found[2])
    return (low, high) == (0, levels - 1) if exact else 0 <= low <= high < levels


def coded(table: Table) -> Table:
    """A table with each category as its codes, and so one matrix: what either library makes of a
    DataFrame with the same levels."""
    if table.matrix is not None:
        return table
    columns = [_codes(column) for column in table.columns]
    return Table.from_matrix(
        table.names, np.column_stack(columns) if columns else np.empty((table.rows, 0))
    )


def _codes(column: Column) -> np.ndarray:
    if isinstance(column, Dictionary):
        return np.where(column.codes < 0, np.nan, column.codes.astype(np.float64))
    return np.asarray(column, dtype=np.float64)
