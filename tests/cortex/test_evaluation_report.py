"""Which of several models is the best, and whether that could be chance."""

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_cortex.cortex.evaluation_report import EvaluationReport, Limits, p_value
from airflow_provider_cortex.errors import GateError, UnreadableAnswerError

NO_LIMITS = Limits(max_unscored_rows=1.0, min_score=None, min_gain=None)


def report(
    *scores: float | None, baseline: str | None = None, rows: int = 10, pairs: Sequence[Any] = ()
) -> EvaluationReport:
    """Return the report on models m1, m2 … with these scores."""
    models = [f"m{number}" for number in range(1, len(scores) + 1)]
    summaries = [
        (number, rows, rows, 0, score, 100, 10, None) for number, score in enumerate(scores, 1)
    ]
    return EvaluationReport.of(models, baseline, "01b", summaries, pairs)


def test_the_best_model_has_the_highest_score() -> None:
    """Among equals it is the baseline, else the first."""
    assert report(0.1, 0.7, 0.3).winner == "m2"
    assert report(0.7, 0.7, 0.3).winner == "m1"
    assert report(0.7, 0.7, 0.3, baseline="m2").winner == "m2"
    assert report(-0.7, -0.2).winner == "m2"
    assert report(None, None).winner is None


def test_no_gain_is_0_from_both_sides() -> None:
    """The log has no "-0.000"."""
    pairs = [(1, 2, 10, 0.0, 0.0, 0, 0, 0)]
    assert "m2 gains +0.000 over m1" in report(0.5, 0.5, baseline="m2", pairs=pairs).table()


def test_a_name_cannot_fake_lines_of_a_log() -> None:
    """Cortex sent it: the table has a line for each model, and no control characters."""
    hostile = "m1\n::group::\x1b[31m"
    summaries = [(number, 10, 10, 0, 0.5, 1, 1, None) for number in (1, 2)]
    pairs = [(1, 2, 10, 0.0, 0.0, 0, 0, 0)]
    table = EvaluationReport.of([hostile, "m2"], None, None, summaries, pairs).table()
    assert len(table.splitlines()) == 5
    assert table.replace("\n", "").isprintable()
    assert "::group::" not in table


def test_an_xcom_holds_the_whole_report() -> None:
    """A retry reads it back, from JSON, as other tasks and the page do."""
    pairs = [(1, 2, 10, -3.0, 5.0, 1, 4, 0)]
    original = report(0.1, 0.4, baseline="m1", pairs=pairs)
    stored = original.to_dict()
    assert json.loads(json.dumps(stored)) == stored
    assert EvaluationReport.from_dict(stored) == original


def test_the_best_is_compared_with_the_baseline_or_with_all_others() -> None:
    """Each comparison is from the best model's side."""
    pairs = [
        (1, 2, 10, -3.0, 5.0, 1, 4, 0),
        (1, 3, 10, 2.0, 2.0, 2, 0, 0),
        (2, 3, 10, 5.0, 5.0, 5, 0, 0),
    ]

    def compared(baseline: str | None) -> list[tuple[str, str, float, int, int]]:
        found = report(0.5, 0.75, 0.3, baseline=baseline, pairs=pairs).comparisons
        return [(one.model, one.other, one.gain, one.better, one.worse) for one in found]

    with_first, with_third = ("m2", "m1", 0.3, 4, 1), ("m2", "m3", 0.5, 5, 0)
    assert compared("m1") == [with_first]
    assert compared("m3") == [with_third]
    assert compared(None) == compared("m2") == [with_first, with_third]


@pytest.mark.parametrize(
    ("limits", "missed"),
    [
        ({"min_score": 0.75}, {}),
        ({"min_score": 0.76}, {"min_score": ("score", 0.75, 0.76)}),
        ({"min_gain": 0.5}, {}),
        ({"min_gain": 0.6}, {"min_gain": ("gain", 0.5, 0.6)}),
        (
            {"min_score": 0.9, "min_gain": 0.6},
            {"min_score": ("score", 0.75, 0.9), "min_gain": ("gain", 0.5, 0.6)},
        ),
    ],
)
def test_all_missed_limits_are_reported_at_once(
    limits: dict[str, float], missed: dict[str, Any]
) -> None:
    """Each with its figure."""
    every = replace(NO_LIMITS, **limits)
    found = report(0.25, 0.75, baseline="m1")
    if not missed:
        assert found.check(every) == "m2"
        return
    with pytest.raises(GateError) as error:
        found.check(every)
    assert error.value.missed == missed
    for argument in missed:
        assert argument in str(error.value)


def test_a_score_that_is_no_number_misses_its_limit() -> None:
    """A NaN is not at least anything."""
    limits = Limits(max_unscored_rows=0.0, min_score=-1.0, min_gain=-1.0)
    with pytest.raises(GateError) as error:
        report(math.nan, baseline="m1").check(limits)
    assert error.value.missed.keys() == {"min_score", "min_gain"}


def test_rows_without_a_score_are_limited_and_counted() -> None:
    """A judge that answers nonsense decides nothing."""
    summaries = [(1, 10, 7, 0, 0.5, None, None, None)]
    found = EvaluationReport.of(["m1"], None, None, summaries, [])
    assert found.unscored == 3
    assert "3 of them without a score" in found.table()
    limits = Limits(max_unscored_rows=0.3, min_score=None, min_gain=None)
    assert found.check(limits) == "m1"
    with pytest.raises(GateError, match="3 of 10 rows have no score"):
        found.check(Limits(max_unscored_rows=0.2, min_score=None, min_gain=None))
    assert found.check(Limits(max_unscored_rows=None, min_score=None, min_gain=None)) == "m1"
    nothing = [(1, 10, 0, 0, None, None, None, None)]
    with pytest.raises(GateError):
        EvaluationReport.of(["m1"], None, None, nothing, []).check(limits)


def test_a_model_without_answers_is_not_the_best() -> None:
    """Even if it is the only one: the message has Cortex's error."""
    summaries = [(1, 10, 10, 10, 0.0, None, None, "unknown model"), (2, 10, 10, 9, 0.0, 1, 1, "x")]
    assert EvaluationReport.of(["m1", "m2"], None, None, summaries, []).winner == "m2"
    with pytest.raises(GateError, match="unknown model"):
        EvaluationReport.of(["m1"], None, None, summaries[:1], []).check(NO_LIMITS)


@pytest.mark.parametrize("summaries", [[(1, 2)], [("x",) * 8], [(1, 2, 3, 4, "x", 5, 6, 7)]])
def test_counts_in_another_form_are_reported(summaries: list[Any]) -> None:
    """And not taken for scores."""
    with pytest.raises(UnreadableAnswerError):
        EvaluationReport.of(["m1"], None, None, summaries, [])


@pytest.mark.parametrize(
    ("better", "worse", "exact"),
    [(0, 0, 1.0), (1, 0, 1.0), (5, 0, 0.0625), (6, 0, 0.03125), (8, 2, 0.109375), (5, 5, 1.0)],
)
def test_few_rows_of_0_and_1_are_compared_exactly(better: int, worse: int, exact: float) -> None:
    """McNemar's test: the binomial distribution of the rows that differ."""
    found = p_value(
        total=better - worse, squares=better + worse, better=better, worse=worse, is_binary=True
    )
    assert found == pytest.approx(exact)


def test_many_rows_are_compared_by_the_normal_distribution() -> None:
    """Where the exact value would take long, both agree."""
    exact = p_value(total=60, squares=1000, better=530, worse=470, is_binary=True)
    normal = p_value(total=60, squares=1000, better=530, worse=470, is_binary=False)
    assert normal == pytest.approx(exact, abs=0.005)
    many = p_value(total=6000, squares=1e6, better=503_000, worse=497_000, is_binary=True)
    assert 0 < many < 1e-6


@given(st.lists(st.floats(-1, 1, allow_nan=False).filter(lambda x: x == 0 or abs(x) > 1e-6)))
def test_a_probability_is_from_0_to_1_and_the_same_from_both_sides(values: list[float]) -> None:
    """However the differences are, and few rows are never significant."""

    def of(values: list[float]) -> float:
        return p_value(
            total=sum(values),
            squares=sum(value * value for value in values),
            better=sum(value > 0 for value in values),
            worse=sum(value < 0 for value in values),
            is_binary=False,
        )

    found = of(values)
    assert 0 <= found <= 1
    assert found == pytest.approx(of([-value for value in values]))
    if len(values) <= 5:
        assert found > 0.05
