"""All files of a directory are read by one statement, which is paid for once."""

import json
from typing import Any

import pytest

from airflow_provider_cortex.emulator import Emulator, Life
from airflow_provider_cortex.operators import CortexExtractTableOperator
from tests.account import execute, tables
from tests.extraction.invoices import (
    IN_BOTH_WAYS,
    MISSING,
    MODEL,
    Extract,
    extracted,
    invoice,
    table_operator,
)
from tests.worker import SLEEP, Store, Worker


@IN_BOTH_WAYS
def test_every_file_gets_its_row(table: Extract, account: Emulator) -> None:
    """Each file of the directory has a row with its path and a column for each answer."""
    account.query_life = Life.by_looks(3)
    result = table()
    (query,) = account.queries.all()
    assert result.xcoms["return_value"] == {"rows": 4, "errors": 0, "query_id": query.id}
    found = execute(account, "SELECT file, number, total, error FROM found ORDER BY file")
    assert found == [
        (f"@docs/new/{number}.txt", *invoice(number)[1].values(), None) for number in range(10, 14)
    ]
    assert tables(account) == {"FOUND"}


def test_answers_may_be_one_object(table: Extract, account: Emulator) -> None:
    """One VARIANT column has all answers, which a tuned model needs no questions for."""
    result = table(response_format=None, answer_column="answers", scores=True)
    assert result.state == "success", result
    rows = execute(account, "SELECT answers, scores FROM found ORDER BY file")
    assert json.loads(rows[0][0]) == invoice(10)[1]
    assert json.loads(rows[0][1]).keys() == {"number", "total"}


def test_the_source_may_be_a_query(table: Extract, account: Emulator) -> None:
    """A query's columns are kept; a file that does not exist is an error of its row."""
    query = """
        SELECT 7 AS id, '@docs/new/11.txt' AS "the path" UNION ALL SELECT 8, '@docs/new/99%.txt'
        -- the files of today"""
    result = table(source=query, file_column="the path", max_error_rate=0.5)
    assert result.xcoms["return_value"]["errors"] == 1
    rows = execute(account, 'SELECT id, "the path", total, error FROM found ORDER BY id')
    assert rows == [
        (7, "@docs/new/11.txt", "11.50 EUR", None),
        (8, "@docs/new/99%.txt", None, MISSING),
    ]


@IN_BOTH_WAYS
def test_too_many_errors_fail_the_task(table: Extract, stage: Emulator) -> None:
    """By default one file without answers fails the task, and no table is left."""
    result = table(source="SELECT '@docs/none.txt' AS file")
    assert result.state == "up_for_retry"
    assert "1 of 1 rows have no answer" in str(result.error)
    assert MISSING in str(result.error)
    assert tables(stage) == set()


def test_an_empty_directory_says_what_may_be_wrong(table: Extract, log_lines: Any) -> None:
    """A directory without files is no error, but the log says that the stage may need a refresh."""
    result = table(source="@docs/nothing")
    assert result.xcoms["return_value"]["rows"] == 0
    assert any("ALTER STAGE … REFRESH" in line for line in log_lines())


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"source": "@~/mine"}, "source must be a path on a named stage"),
        ({"source": "SELECT 1 AS x"}, "file_column"),
        ({"source": "SELECT '@docs/a' AS file, 1 AS total"}, "response_format is TOTAL, but"),
        ({"response_format": ["total: a", "TOTAL: b"]}, "has two labels for the column TOTAL"),
        ({"response_format": ["Which?" * 50]}, "names a column with 300 characters"),
        ({"response_format": {"error": "Which error?"}}, "error_column must be another column"),
        ({"response_format": {"file": "Which file?"}}, "response_format is FILE, but the source"),
        ({"response_format": None}, "answer_column is needed without response_format"),
        ({"model": None, "response_format": None}, "response_format is needed"),
    ],
)
def test_an_invalid_argument_costs_nothing(
    changes: dict[str, Any], problem: str, table: Extract, stage: Emulator
) -> None:
    """What is wrong is found before a file is read, and named."""
    result = table(**changes)
    assert result.state == "failed"
    assert problem in str(result.error)
    assert extracted(stage) == 0


@IN_BOTH_WAYS
def test_a_retry_continues_with_the_statement_of_a_dead_worker(
    table: Extract, account: Emulator, worker: Worker
) -> None:
    """A worker that dies while it waits leaves a statement that the next try waits for."""
    account.query_life = Life.by_looks(20)

    def die(_: float) -> None:
        raise KeyboardInterrupt

    facts: dict[str, Any] = {"run_id": "weekly_1", "store": Store()}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SLEEP, die)
        with pytest.raises(KeyboardInterrupt):
            worker.run(lambda: table_operator(deferrable=False), **facts)
    result = table(facts=facts)
    assert result.xcoms["return_value"]["rows"] == 4
    assert extracted(account) == 1


def test_a_rate_that_is_none_is_refused_when_the_dag_is_parsed() -> None:
    """A rate is from 0 to 1."""
    with pytest.raises(ValueError, match="max_error_rate must be from 0 to 1"):
        CortexExtractTableOperator(
            task_id="extract", model=MODEL, source="@docs", destination="found", max_error_rate=2
        )
