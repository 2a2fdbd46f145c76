"""What the operator measures of training data, and how it reports that."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_cortex.emulator import Emulator
from tests.account import execute
from tests.training_data.traffic_lights import TRAIN, query
from tests.worker import Result


def test_the_report_has_the_figures_of_the_data(train: None, run: Callable[..., Result]) -> None:
    """It is the task's XCom, with the tokens of the job to come, and says what it assumes."""
    result = run()
    report = result.xcoms["return_value"]
    assert result.xcoms["report"] == report
    assert report == {
        "base_model": "llama3.1-8b",
        "training": {
            "rows": 3,
            "null_prompts": 0,
            "empty_prompts": 0,
            "null_completions": 0,
            "empty_completions": 0,
            "empty_rows": 0,
            "duplicate_rows": 0,
            "contradicting_prompts": 0,
            "truncated_rows": 0,
            "uncounted_rows": 0,
            "prompt_tokens": {"sum": 5, "median": 2, "p95": 2, "max": 2},
            "completion_tokens": {"sum": 8, "median": 1, "p95": 6, "max": 6},
            "is_estimate": False,
        },
        "validation": None,
        "epochs": 3,
        "epochs_are_assumed": True,
        "trained_tokens": 39,
        "credits": None,
        "missed": [],
    }


def test_the_table_is_one_record_of_the_log(
    train: None, run: Callable[..., Result], log_lines: Callable[[], list[str]]
) -> None:
    """People read it there: the figures of both data sets, what is assumed, and the price."""
    run(validation_data=query("'blue', 'none'"), credits_per_million_tokens=1_000_000)
    lines = log_lines()
    (head,) = (n for n, line in enumerate(lines) if "Training data:" in line)
    assert lines[head + 1].split() == ["training", "validation"]
    assert lines[head + 2].split() == ["rows", "3", "1"]
    assert "Estimated trained tokens of llama3.1-8b: 39, in 3 epochs (assumed" in "".join(lines)
    assert any(line.startswith("Estimated credits: 39.0000") for line in lines)


def test_one_statement_for_each_data_set_returns_one_row(
    train: None, run: Callable[..., Result], cortex_emulator: Emulator
) -> None:
    """What else is sent only compiles the queries, and returns no row."""
    run(validation_data=query("'blue', 'none'"))
    sent = [statement.sql for statement in cortex_emulator.statements]
    assert len([sql for sql in sent if sql.startswith("SELECT COUNT(*), ")]) == 2
    others = [sql for sql in sent if "prompt" in sql and not sql.startswith("SELECT COUNT(*), ")]
    assert all(sql.endswith(" LIMIT 0") for sql in others)


@pytest.mark.parametrize(
    ("rows", "figures"),
    [
        (["'a', 'b'"], {"rows": 1, "empty_rows": 0, "duplicate_rows": 0}),
        (
            ["NULL, NULL", "NULL, 'b'", "'a', NULL"],
            {"null_prompts": 2, "null_completions": 2, "empty_prompts": 0, "empty_rows": 3},
        ),
        (
            ["'', 'b'", "' \\t\\n', 'b'", "'a', ' '", "'x', 'y'"],
            {"empty_prompts": 2, "empty_completions": 1, "null_prompts": 0, "empty_rows": 3},
        ),
        (
            ["'a', 'b'", "'a', 'b'", "'a', 'b'", "'a', 'c'", "'A', 'b'", "'a ', 'b'"],
            {"duplicate_rows": 2, "contradicting_prompts": 1},
        ),
        (
            ["'a', 'b'", "'a', NULL", "'d', 'e'", "'d', 'f'", "'d', 'g'", "NULL, 'x'", "NULL, 'y'"],
            {"duplicate_rows": 0, "contradicting_prompts": 1},
        ),
    ],
    ids=["one row", "NULL", "empty", "copies", "contradictions"],
)
def test_what_is_wrong_with_rows_is_counted(
    rows: list[str], figures: dict[str, int], run: Callable[..., Result]
) -> None:
    """Case and spaces make a difference between prompts, as they do to a model."""
    report = run(training_data=query(*rows), max_empty_rows=1).xcoms["return_value"]
    assert {name: report["training"][name] for name in figures} == figures


def test_all_rows_of_null_have_no_tokens(run: Callable[..., Result]) -> None:
    """NULL has no number of tokens: the sum is none, and the estimate 0."""
    result = run(training_data=query("NULL, NULL", "NULL, NULL"), max_empty_rows=None)
    report = result.xcoms["return_value"]
    assert report["training"]["prompt_tokens"] == dict.fromkeys(["sum", "median", "p95", "max"])
    assert report["trained_tokens"] == 0


def test_a_sample_is_an_estimate(
    run: Callable[..., Result], cortex_emulator: Emulator, log_lines: Callable[[], list[str]]
) -> None:
    """All rows are counted; the other figures are those of the sample, scaled."""
    thousand = "SELECT ROW_NUMBER() OVER (ORDER BY 1) AS n FROM TABLE(GENERATOR(ROWCOUNT => 1000))"
    execute(
        cortex_emulator,
        "CREATE TABLE many AS SELECT IFF(n % 2 = 0, 'even', 'odd') AS prompt, n::VARCHAR AS"
        f" completion FROM ({thousand})",
    )
    found = run(training_data="many", sample="100").xcoms["return_value"]["training"]
    assert (found["rows"], found["is_estimate"]) == (1000, True)
    assert found["prompt_tokens"]["sum"] == 1000
    assert "estimated from a random sample" in "".join(log_lines())
    all_rows = run(training_data="many", sample=1001).xcoms["return_value"]["training"]
    assert (all_rows["contradicting_prompts"], all_rows["is_estimate"]) == (2, False)


def test_a_sample_finds_as_many_copies_as_there_are(
    run: Callable[..., Result], cortex_emulator: Emulator
) -> None:
    """Copies are found before the sample is taken: in it alone there would be hardly any."""
    thousand = "SELECT ROW_NUMBER() OVER (ORDER BY 1) AS n FROM TABLE(GENERATOR(ROWCOUNT => 1000))"
    execute(
        cortex_emulator,
        "CREATE TABLE many AS SELECT (n % 500)::VARCHAR AS prompt, 'x' AS completion"
        f" FROM ({thousand})",
    )
    found = run(training_data="many", sample=200).xcoms["return_value"]["training"]
    assert 300 < found["duplicate_rows"] < 700


def test_many_rows_are_checked_in_one_statement(
    run: Callable[..., Result], cortex_emulator: Emulator
) -> None:
    """A hundred thousand rows, of which the task gets one: the figures."""
    rows = "SELECT ROW_NUMBER() OVER (ORDER BY 1) AS n FROM TABLE(GENERATOR(ROWCOUNT => 100000))"
    execute(
        cortex_emulator,
        "CREATE TABLE many AS SELECT 'ticket ' || n AS prompt, 'shipping' AS completion"
        f" FROM ({rows})",
    )
    report = run(training_data="many", validation_data="many", allow_overlap=True).xcoms["report"]
    assert report["training"]["rows"] == 100_000
    assert report["validation"]["overlapping_rows"] == 100_000


def test_lineage_has_the_tables_that_were_checked(
    train: None, run: Callable[..., Result], cortex_emulator: Emulator
) -> None:
    """OpenLineage's provider gets both tables as inputs, and the statement."""
    base = pytest.importorskip("airflow.providers.openlineage.extractors.base")
    execute(cortex_emulator, f"CREATE TABLE held_out AS {TRAIN}")
    task: Any = run(validation_data="held_out", allow_overlap=True).instance.task
    facets = base.DefaultExtractor(task).extract_on_complete(SimpleNamespace(task=task))
    assert [table.name for table in facets.inputs] == [
        "CORTEX_DB.PUBLIC.TRAIN",
        "CORTEX_DB.PUBLIC.HELD_OUT",
    ]
    assert facets.outputs == []
    assert facets.run_facets["externalQuery"].externalQueryId == task.linked_query_id
