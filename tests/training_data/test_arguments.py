"""The arguments of the operator that checks training data."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import DAG

from airflow_provider_cortex.emulator import Emulator
from tests.account import execute
from tests.training_data.traffic_lights import ROWS, TRAIN, check
from tests.worker import Result, Worker


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("epochs", 0),
        ("epochs", 2.5),
        ("epochs", True),
        ("max_trained_tokens", -1),
        ("min_rows", 0),
        ("max_prompt_tokens", "many"),
        ("max_completion_tokens", float("nan")),
        ("max_truncated_rows", 1.5),
        ("max_empty_rows", -0.1),
        ("max_duplicate_rows", "10 %"),
        ("credits_per_million_tokens", float("inf")),
        ("sample", 0),
        ("gate", "warn"),
    ],
)
def test_an_invalid_literal_is_rejected_when_the_dag_is_parsed(argument: str, value: Any) -> None:
    """The error names the argument."""
    with pytest.raises(ValueError, match=f"^{argument} must be "):
        check(**{argument: value})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"training_data": " "}, "training_data must be non-empty text"),
        ({"base_model": None}, "base_model must be non-empty text"),
        ({"base_model": "my model"}, "base_model must be an identifier"),
        ({"validation_data": "None"}, "validation_data must be non-empty text"),
        ({"training_data": "snow://dataset/a.b.c/versions/v1"}, "training_data is a dataset or"),
        ({"validation_data": "@stage/rows.jsonl"}, "validation_data is a dataset or a stage"),
        ({"training_data": "SELECT 1; SELECT 2"}, "training_data must be one statement"),
    ],
)
def test_an_invalid_argument_is_rejected_before_the_login(
    changes: dict[str, Any], message: str, run: Callable[..., Result], cortex_emulator: Emulator
) -> None:
    """It fails the task without a retry."""
    result = run(**changes)
    assert result.state == "failed"
    assert str(result.error).startswith(message)
    assert cortex_emulator.logins == 0


@pytest.mark.parametrize("argument", ["training_data", "validation_data"])
@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("SELECT 'a' AS prompt", "has no column COMPLETION"),
        ("""SELECT 'a' AS "prompt", 'b' AS completion""", 'Add an alias: SELECT "prompt" AS'),
        ("missing", "is not a query that Snowflake can run here"),
    ],
)
def test_columns_are_checked_first(
    argument: str, data: str, message: str, train: None, run: Callable[..., Result]
) -> None:
    """The error names the argument, as it does in the operator that starts a job."""
    result = run(**{argument: data})
    assert result.state == "failed"
    assert str(result.error).startswith(argument)
    assert message in str(result.error)


@pytest.mark.parametrize("model", ["none", "CORTEX_DB.PUBLIC.lights"])
def test_an_unknown_base_model_fails_the_task(
    model: str, train: None, run: Callable[..., Result], cortex_emulator: Emulator
) -> None:
    """So does a tuned one: Snowflake counts tokens for base models only."""
    cortex_emulator.jobs.add(model="CORTEX_DB.PUBLIC.lights", pairs=ROWS[:1])
    result = run(base_model=model)
    assert result.state == "failed"
    assert model in str(result.error)


def test_data_may_be_tables_with_quoted_names(
    train: None, run: Callable[..., Result], cortex_emulator: Emulator
) -> None:
    """Names, comments and per cent signs arrive as they are written."""
    execute(cortex_emulator, f'CREATE TABLE "Held ""out"" 5%" AS {TRAIN}')
    result = run(
        training_data="CORTEX_DB.public.TRAIN; -- all",
        validation_data='"Held ""out"" 5%"',
        allow_overlap=True,
    )
    assert result.xcoms["return_value"]["validation"]["overlapping_rows"] == 3


def test_data_may_be_a_sql_file(
    train: None, connection: str, worker: Worker, tmp_path: Path
) -> None:
    """As for the operator that starts a job, so that both may name the same file."""
    (tmp_path / "train.sql").write_text("SELECT prompt, completion FROM {{ table }};")

    start = datetime(2026, 1, 1, tzinfo=UTC)

    def make() -> Any:
        with DAG("tickets", schedule=None, start_date=start, template_searchpath=str(tmp_path)):
            task = check(training_data="train.sql")
        values: Any = {"table": "train"}
        task.resolve_template_files()
        task.render_template_fields(values)
        return task

    result = worker.run(make)
    assert result.state == "success", result
