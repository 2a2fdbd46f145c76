"""The statements that measure training data, and what is made of their rows."""

import math
from decimal import Decimal
from typing import Any

import pytest

from airflow_provider_cortex.cortex.training_data_report import Limits, Report, gate_error
from airflow_provider_cortex.cortex.training_data_sql import DataCheck, DataFigures, Tokens
from airflow_provider_cortex.errors import ArgumentError, QueryError, UnreadableAnswerError

COUNTS = (
    "null_prompts",
    "empty_prompts",
    "null_completions",
    "empty_completions",
    "empty_rows",
    "duplicate_rows",
    "contradicting_prompts",
    "overlapping_rows",
    "uncounted_rows",
    "truncated_rows",
)
"""The figures in the order of a statement's columns, after the rows measured and all rows."""


def check(**changes: Any) -> DataCheck:
    """Return what to measure."""
    return DataCheck(**{"base_model": "llama3.1-8b", "training_data": "tickets"} | changes)


def row(measured: object = 10, total: object = 10, **changes: object) -> list[object]:
    """Return a statement's row: ten rows, each with two and three tokens."""
    counts = dict.fromkeys(COUNTS, 0) | {
        name: value for name, value in changes.items() if name in COUNTS
    }
    prompts: Any = changes.get("prompts", (20, 2, 2, 2))
    return [measured, total, *counts.values(), *prompts, 30, 3, 3, 3]


def figures(**changes: Any) -> DataFigures:
    """Return the figures of ten rows."""
    return check().figures(row(**changes))


def report(training: DataFigures | None = None, **changes: Any) -> Report:
    """Return a report of training data, by default without a fault."""
    return Report(base_model="llama3.1-8b", training=training or figures(), **changes)


def test_the_query_of_a_user_stands_in_parentheses() -> None:
    """Its end cannot end the statement, its per cent signs are sent as they are, and its comment
    stays within."""
    sql = check(training_data="SELECT * FROM t WHERE p LIKE '50%'; -- all").statement(
        "training_data"
    )
    assert "FROM (SELECT * FROM t WHERE p LIKE '50%'))" in sql.sql % ("'a'", "'b'")
    assert sql.values == ("llama3.1-8b", "llama3.1-8b")
    assert sql.only_reads


def test_only_the_statement_for_validation_data_reads_both() -> None:
    """The training data is read once for itself, and once to find its prompts in the other."""
    both = check(training_data="tickets", validation_data="held_out")
    assert "held_out" not in both.statement("training_data").sql
    assert both.statement("validation_data").sql.count("FROM tickets") == 1


@pytest.mark.parametrize("data", ["snow://dataset/a.b.c/versions/v1", " @stage/rows.jsonl"])
@pytest.mark.parametrize("argument", ["training_data", "validation_data"])
def test_data_that_is_not_sql_is_rejected(argument: str, data: str) -> None:
    """Only Cortex can read a dataset or a stage: no query can."""
    with pytest.raises(QueryError, match=f"^{argument} is a dataset or a stage"):
        check(**{argument: data})


def test_an_invalid_base_model_is_rejected() -> None:
    """Its name has the form that a job needs, too."""
    with pytest.raises(ArgumentError, match="base_model must be an identifier"):
        check(base_model="my model")


def test_figures_are_numbers_of_any_type() -> None:
    """A driver returns sums as Decimal or float; the report has whole numbers where it can."""
    prompts = (Decimal(20), 2.5, Decimal("2.0"), 2)
    found = figures(empty_rows=Decimal(1), prompts=prompts)
    assert found.empty_rows == 1
    assert repr(found.prompt_tokens) == "Tokens(sum=20, median=2.5, p95=2, max=2)"
    assert found.completion_tokens == Tokens(sum=30, median=3, p95=3, max=3)
    assert not found.is_estimate


def test_a_sample_is_scaled_to_all_rows() -> None:
    """Sums and numbers of rows are scaled; a median, a percentile and the most are not."""
    found = figures(measured=10, total=1005, empty_rows=1, truncated_rows=0)
    assert (found.rows, found.empty_rows, found.truncated_rows) == (1005, 100, 0)
    assert found.prompt_tokens == Tokens(sum=2010, median=2, p95=2, max=2)
    assert found.is_estimate


def test_no_rows_have_no_figures() -> None:
    """Without rows all sums are NULL: there is nothing to estimate."""
    nothing = [0, None, *[0] * len(COUNTS), *[None] * 8]
    found = check(sample=5).figures(nothing)
    assert (found.rows, found.empty_rows, found.is_estimate) == (0, 0, False)
    assert found.prompt_tokens == Tokens(sum=None, median=None, p95=None, max=None)
    assert report(found).trained_tokens == 0


@pytest.mark.parametrize("cell", ["many", True, math.nan, math.inf, [1]])
def test_an_unreadable_figure_is_an_error(cell: object) -> None:
    """A figure that is no number is never taken for a good one."""
    with pytest.raises(UnreadableAnswerError, match="which should be numbers"):
        figures(empty_rows=cell)


def test_trained_tokens_are_those_of_both_columns_in_all_epochs() -> None:
    """Without epochs 3 are assumed, and the report says so."""
    assert report().trained_tokens == 150
    assumed = report().to_dict([])
    assert (assumed["epochs"], assumed["epochs_are_assumed"]) == (3, True)
    given = report(epochs=2, credits_per_million_tokens=5).to_dict([])
    assert (given["epochs"], given["epochs_are_assumed"]) == (2, False)
    assert (given["trained_tokens"], given["credits"]) == (100, 0.0005)


def test_tokens_that_were_not_counted_make_the_estimate_unknown() -> None:
    """An estimate without some of the rows would be too low: it misses every limit."""
    unknown = report(figures(uncounted_rows=1), credits_per_million_tokens=5)
    assert (unknown.trained_tokens, unknown.credits) == (None, None)
    (miss,) = unknown.missed(Limits(max_trained_tokens=1e9))
    assert miss.text == "trained_tokens is unknown, not at most max_trained_tokens = 1,000,000,000"
    assert "counted no tokens in 1 of 10 rows of training_data: is llama3.1-8b" in unknown.to_text(
        []
    )


@pytest.mark.parametrize(
    ("changes", "limits", "text"),
    [
        ({}, {"min_rows": 11}, "training_data has 10 rows, below min_rows = 11"),
        (
            {},
            {"max_trained_tokens": 149},
            "trained_tokens is 150, above max_trained_tokens = 149",
        ),
        (
            {"empty_rows": 2},
            {"max_empty_rows": 0.1},
            "training_data: 2 of 10 rows are empty, a share of 0.2, above max_empty_rows = 0.1",
        ),
        (
            {"truncated_rows": 1},
            {"max_truncated_rows": 0.0},
            (
                "training_data: 1 of 10 rows are longer than allowed, a share of 0.1, above"
                " max_truncated_rows = 0"
            ),
        ),
        (
            {"duplicate_rows": 9},
            {"max_duplicate_rows": 0.5},
            (
                "training_data: 9 of 10 rows are duplicates, a share of 0.9, above"
                " max_duplicate_rows = 0.5"
            ),
        ),
    ],
)
def test_a_missed_limit_is_named_with_its_figure(
    changes: dict[str, int], limits: dict[str, Any], text: str
) -> None:
    """A limit is missed by a figure beyond it, and kept by one that is equal, or without it."""
    data = figures(**changes)
    (miss,) = report(data).missed(Limits(**limits))
    assert miss.text == text
    assert text in report(data).to_text([miss])
    equal: dict[str, Any] = dict.fromkeys(limits, miss.value)
    assert report(data).missed(Limits(**equal)) == []
    assert report(data).missed(Limits()) == []


def test_all_missed_limits_are_in_one_error() -> None:
    """Those of validation data have its name; where both miss one, the error has training's."""
    data = figures(empty_rows=5, overlapping_rows=1)
    limits = Limits(max_empty_rows=0.1, allow_overlap=False, min_rows=20)
    error = gate_error("No", report(data, validation=data).missed(limits))
    assert error.missed == {
        "min_rows": ("rows", 10, 20),
        "max_empty_rows": ("empty_rows", 0.5, 0.1),
        "allow_overlap": ("overlapping_rows", 1, 0),
    }
    assert str(error).startswith("No: training_data has 10 rows, below min_rows = 20; ")
    assert "; validation_data: 5 of 10 rows are empty" in str(error)
    assert "validation_data: 1 of 10 rows have a prompt of training_data" in str(error)


@pytest.mark.parametrize("name", ["training", "validation"])
def test_no_rows_miss_a_limit_always(name: str) -> None:
    """Data without rows passes no check, and has no shares to complain about."""
    nothing = check().figures([0, None, *[0] * len(COUNTS), *[None] * 8])
    data = {"training": figures(), "validation": figures(), name: nothing}
    limits = Limits(max_empty_rows=0.0, max_duplicate_rows=0.0, max_truncated_rows=0.0)
    (miss,) = report(**data).missed(limits)
    assert miss.text == f"{name}_data has 0 rows, below min_rows = 1"


def test_the_table_is_aligned() -> None:
    """Its columns are as wide as their widest cell, and numbers stand at the right."""
    large = figures(measured=10, total=1_234_567)
    text = report(large, validation=figures(overlapping_rows=2)).to_text([])
    head, rows, *lines = text.splitlines()
    assert head.split() == ["training", "validation"]
    assert rows.split() == ["rows", "1,234,567", "10"]
    assert len(head) == len(rows)
    assert len(rows) == len(next(line for line in lines if line.startswith("prompts that are in")))
    assert "The figures of training_data are estimated from a random sample of its rows." in lines
    assert "validation_data are estimated" not in text
