"""The query tag of a task's session."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_cortex.emulator import Emulator, Life
from tests.tasks import (
    complete,
    fine_tune,
    in_dag,
    sensor,
)
from tests.worker import MODES, Worker, in_mode

LONGEST_TAG = 2000
"""Characters: https://docs.snowflake.com/en/sql-reference/parameters#query-tag."""


@pytest.mark.parametrize("task", ["start", "ask", *MODES])
@pytest.mark.parametrize(
    ("dag_id", "task_id", "run_id"),
    [
        ("d" * 250, "t" * 250, "r" * 250),
        ("ü" * 250, "задача" * 41, "発😀" * 125),
        ("d" * 250, "t" * 250, '"\\' * 125),
    ],
    ids=["long", "other letters", "quotes"],
)
def test_the_tag_of_long_ids_is_short_enough_and_valid_json(
    dag_id: str,
    task_id: str,
    run_id: str,
    task: str,
    years: None,
    cortex_emulator: Emulator,
    worker: Worker,
) -> None:
    """Long ids, in any script, are shortened: the tag is JSON that Snowflake accepts."""
    job = cortex_emulator.jobs.add(model="m", life=Life.at_once())
    made: dict[str, Callable[[], Any]] = {
        "start": lambda: fine_tune(task_id=task_id),
        "ask": lambda: complete(task_id=task_id),
    } | {mode: lambda mode=mode: sensor(job.id, task_id=task_id, **in_mode(mode)) for mode in MODES}
    result = worker.run(lambda: in_dag(made[task], dag_id=dag_id), run_id=run_id, dag_id=dag_id)
    assert result.state == "success", result
    tag = cortex_emulator.statements[-1].query_tag or ""
    assert len(tag) <= LONGEST_TAG
    parsed = json.loads(tag)
    assert parsed["package"] == "airflow-provider-cortex"
    for name, whole in {"dag_id": dag_id, "task_id": task_id, "run_id": run_id}.items():
        assert len(parsed[name]) > 200
        assert whole.startswith(parsed[name])
