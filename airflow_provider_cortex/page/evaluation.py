"""What an evaluation says of each model, from the XCom ``scores``, which any task may push."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from airflow_provider_cortex.airflow_api import compat

MAX_COMPARISONS = 10
"""The most comparisons of one model that the page shows."""


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """How much higher a model's mean score is than another's; negative if it is lower."""

    other: str
    gain: float
    could_be_chance: bool


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """
    One model in an evaluation.

    :param score: its mean score; None without any.
    :param rows: that it was asked.
    :param scored: of these, the rows that count in *score*.
    :param error_rate: the share of rows, from 0 to 1, without an answer.
    :param models: how many models were asked.
    :param is_best: whether it has the highest score.
    """

    score: float | None
    rows: int
    scored: int
    error_rate: float
    models: int
    is_best: bool
    comparisons: tuple[Comparison, ...]


def evaluations_in(stored: object) -> dict[str, Evaluation]:
    """Return each model's evaluation in a stored XCom; none if it is not an evaluation's."""
    try:
        report: Any = compat.xcom_value(stored)
        return {_text(one["model"]): _evaluation(report, one) for one in report["models"]}
    except (TypeError, ValueError, LookupError, ArithmeticError, RecursionError):
        return {}


def _evaluation(report: Mapping[str, Any], one: Mapping[str, Any]) -> Evaluation:
    model, rows, score = one["model"], _count(report["rows"]), one["score"]
    sides = [side for each in report["comparisons"] for side in _sides(each) if side[0] == model]
    return Evaluation(
        score=None if score is None else _number(score),
        rows=rows,
        scored=rows - _count(report["unscored"]),
        error_rate=_number(one["error_rate"]),
        models=len(report["models"]),
        is_best=report["winner"] == model,
        comparisons=tuple(comparison for _, comparison in sides[:MAX_COMPARISONS]),
    )


def _sides(stored: Mapping[str, Any]) -> list[tuple[str, Comparison]]:
    """Return a comparison as each of its two models sees it."""
    model, other, gain = _text(stored["model"]), _text(stored["other"]), _number(stored["gain"])
    chance = stored["could_be_chance"] is True
    return [
        (model, Comparison(other=other, gain=gain, could_be_chance=chance)),
        (other, Comparison(other=model, gain=-gain, could_be_chance=chance)),
    ]


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    raise TypeError


def _count(value: object) -> int:
    if isinstance(value, int) and value >= 0:
        return int(value)
    raise TypeError


def _number(value: object) -> float:
    """Return a number that is one in JSON, too: Python's JSON may have NaN and infinity."""
    if isinstance(value, int | float) and math.isfinite(value):
        return float(value)
    raise TypeError
