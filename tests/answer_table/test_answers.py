"""A table is answered inside Snowflake, in one statement; the destination is safe until the end."""

import json
from typing import Any

import pytest

from airflow_provider_cortex.emulator import Emulator, Life
from airflow_provider_cortex.hooks import CortexHook
from tests.answer_table.signals import IN_BOTH_WAYS, Answer, Rows, operator, prompted, tables
from tests.worker import Worker


@IN_BOTH_WAYS
def test_every_row_gets_its_answer(
    answer: Answer, rows: Rows, hook: CortexHook, cortex_emulator: Emulator
) -> None:
    """Each row has its answer beside it; the XCom has the counts and the query's id."""
    cortex_emulator.query_life = Life.by_looks(3)
    result = answer()
    (query,) = cortex_emulator.queries.all()
    assert result.xcoms["return_value"] == {"rows": 3, "errors": 0, "query_id": query.id}
    found = rows("SELECT id, body, answer, error FROM answers ORDER BY id")
    assert found == [
        (1, "red", "stop", None),
        (2, "green", "go", None),
        (3, "it's 100% red", "stop", None),
    ]
    assert tables(hook) == {"SIGNALS", "ANSWERS"}


def test_a_finished_statement_never_defers(answer: Answer, cortex_emulator: Emulator) -> None:
    """A statement that has finished at the worker's first poll never defers."""
    cortex_emulator.query_life = Life.at_once()
    result = answer(deferrable=True)
    assert result.state == "success"
    assert result.deferrals == 0


def test_the_source_may_be_a_query_and_the_prompt_an_expression(answer: Answer, rows: Rows) -> None:
    """The source may be a query, the prompt an expression, and the columns have any name."""
    result = answer(
        source='SELECT id AS "the id", body FROM signals WHERE id % 2 = 1 ORDER BY id -- odd\n;',
        prompt_column=None,
        prompt_expression="CASE WHEN body LIKE '%red%' THEN 'green' END -- the opposite",
        destination='cortex_db.public."my answers"',
        answer_column="Was nun?",
        error_column='"error"',
    )
    assert result.xcoms["return_value"]["rows"] == 2
    found = rows('SELECT "the id", "Was nun?", "error" FROM "my answers" ORDER BY 1')
    assert found == [(1, "go", None), (3, "go", None)]


def test_a_response_format_makes_the_answers_objects(answer: Answer, rows: Rows) -> None:
    """With a response format the answers are objects."""
    schema = {"type": "object", "properties": {"do": {"type": "string"}}}
    answer(response_format={"type": "json", "schema": schema}, model_parameters={"temperature": 0})
    found = rows("SELECT answer FROM answers ORDER BY id")
    assert [json.loads(text) for (text,) in found][:2] == [{"do": "stop"}, {"do": "go"}]


def test_an_empty_source_is_no_error(answer: Answer) -> None:
    """A source without rows is answered without an error."""
    result = answer(source="SELECT * FROM signals WHERE FALSE")
    assert result.xcoms["return_value"]["rows"] == 0


@IN_BOTH_WAYS
@pytest.mark.parametrize("rate", [0.0, 0.5])
def test_too_many_errors_fail_the_task(
    rate: float, answer: Answer, rows: Rows, hook: CortexHook, cortex_emulator: Emulator
) -> None:
    """Too many errors fail the task with the most frequent one, and leave no table."""
    cortex_emulator.faults.add("error", at="complete", prompt="green", message="too green")
    result = answer(max_error_rate=rate)
    if rate:
        assert result.xcoms["return_value"]["errors"] == 1
        (error,) = rows("SELECT error, answer FROM answers WHERE error IS NOT NULL")
        assert "too green" in error[0]
        assert error[1] is None
    else:
        assert result.state == "up_for_retry"
        assert "1 of 3 rows have no answer" in str(result.error)
        assert "too green" in str(result.error)
        assert tables(hook) == {"SIGNALS"}


@pytest.mark.parametrize(
    ("errors", "rows", "rate", "state"),
    [
        (1, 4, 0.25, "success"),
        (2, 4, 0.25, "up_for_retry"),
        (29, 50, 0.58, "success"),  # 0.58 * 50 is less than 29 in floating point
        (30, 50, 0.58, "up_for_retry"),
        (2, 2, 1.0, "success"),
    ],
)
def test_max_error_rate_is_the_highest_allowed_rate(
    errors: int,
    rows: int,
    rate: float,
    state: str,
    answer: Answer,
    hook: CortexHook,
    cortex_emulator: Emulator,
) -> None:
    """Exactly as many errors as max_error_rate allows are accepted, and one more is not."""
    bodies = ["green"] * errors + ["red"] * (rows - errors)
    values = ", ".join(f"({number}, '{body}')" for number, body in enumerate(bodies))
    hook.run(f"CREATE TABLE many (id INT, body TEXT) AS SELECT * FROM (VALUES {values})")
    cortex_emulator.faults.add("error", at="complete", prompt="green", message="too green")
    result = answer(source="many", max_error_rate=rate)
    assert result.state == state, result
    if state == "success":
        counts = result.xcoms["return_value"]
        assert (counts["rows"], counts["errors"]) == (rows, errors)
    else:
        assert f"{errors} of {rows} rows have no answer" in str(result.error)


def test_a_null_prompt_is_an_error(answer: Answer) -> None:
    """A prompt that is NULL has no answer."""
    result = answer(source="SELECT 1 AS id, NULL::VARCHAR AS body")
    assert "nothing (NULL)" in str(result.error)


def test_an_existing_destination_is_rejected_by_default(
    answer: Answer, hook: CortexHook, cortex_emulator: Emulator
) -> None:
    """By default an existing table is rejected before anything is billed."""
    hook.run("CREATE TABLE answers (x INT)")
    result = answer()
    assert result.state == "failed"
    assert 'answers exists, and if_exists is "fail"' in str(result.error)
    assert prompted(cortex_emulator) == 0


def test_replace_may_replace_even_the_source(answer: Answer, rows: Rows, hook: CortexHook) -> None:
    """With if_exists="replace" any table may be replaced, even the source."""
    assert answer(destination="signals", if_exists="replace").state == "success"
    assert rows("SELECT answer FROM signals WHERE id = 1") == [("stop",)]


def test_a_failed_task_leaves_the_old_table(
    answer: Answer, rows: Rows, cortex_emulator: Emulator
) -> None:
    """If the task fails, the table to replace is as it was."""
    cortex_emulator.faults.add("null", at="complete", prompt="green")
    assert answer(destination="signals", if_exists="replace").state == "up_for_retry"
    assert len(rows("SELECT id, body FROM signals")) == 3


def test_append_matches_columns_by_name(answer: Answer, rows: Rows, hook: CortexHook) -> None:
    """With if_exists="append" rows are added by the columns' names, whatever their order."""
    hook.run("CREATE TABLE answers (error TEXT, extra INT, answer TEXT, body TEXT, id INT)")
    hook.run("INSERT INTO answers (id) VALUES (0)")
    assert answer(if_exists="append").state == "success"
    found = rows("SELECT id, body, answer, error, extra FROM answers ORDER BY id")
    assert found[1] == (1, "red", "stop", None, None)
    assert len(found) == 4


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model": " "}, "model must be non-empty text"),
        ({"destination": "a b"}, "destination must be an identifier"),
        ({"source": "no_such"}, "source cannot be read: "),
        ({"source": "SELEC"}, "source cannot be read: "),
        (
            {"prompt_column": "text"},
            'prompt_column text is not a column of the source, which has "ID", "BODY"',
        ),
        (
            {"prompt_column": None, "prompt_expression": "text"},
            "prompt_expression cannot be read from the source: ",
        ),
        (
            {"answer_column": "body"},
            "answer_column is BODY, but the source already has this column",
        ),
        ({"error_column": "Id"}, "error_column is ID, but the source already has this column"),
        ({"error_column": "ANSWER"}, "error_column must be another column than answer_column"),
        ({"if_exists": "append"}, "destination cannot be read: "),
        (
            {"if_exists": "append", "destination": "old"},
            'old has no column "BODY", "ANSWER", "ERROR"',
        ),
        (
            {"source": 'SELECT 1 AS "_CORTEX_RAW", 2 AS body'},
            "source must not have a column _CORTEX_RAW",
        ),
        ({"model_parameters": {"a": object()}}, "model_parameters cannot be sent"),
    ],
)
def test_an_invalid_argument_is_rejected_before_anything_is_billed(
    changes: dict[str, Any],
    message: str,
    lights: None,
    hook: CortexHook,
    cortex_emulator: Emulator,
    worker: Worker,
) -> None:
    """An invalid argument fails the task by its name, without a retry, before it is billed."""
    hook.run("CREATE TABLE old (id INT)")
    result = worker.run(lambda: operator(**{"destination": "new"} | changes))
    assert result.state == "failed"
    assert message in str(result.error)
    assert prompted(cortex_emulator) == 0


@pytest.mark.parametrize(
    "changes",
    [
        {"prompt_column": None},
        {"prompt_expression": "body"},
        {"if_exists": "adopt"},
        {"max_error_rate": 1.1},
        {"poke_interval": 0},
    ],
)
def test_an_invalid_argument_is_rejected_when_the_dag_is_parsed(changes: dict[str, Any]) -> None:
    """What is invalid in the DAG file is rejected when the DAG is parsed."""
    with pytest.raises(ValueError, match=r"must be|give either"):
        operator(**changes)
