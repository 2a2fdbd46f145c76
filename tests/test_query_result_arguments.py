"""The one cell of a query's result as a job or a model, in every form that Airflow delivers."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_cortex.emulator import Emulator, Life
from airflow_provider_cortex.sensors import CortexFineTuneSensor
from tests.tasks import (
    IN_EACH_MODE,
    MODEL,
    NATIVE,
    cancel,
    complete,
    complete_table,
    render,
    sensor,
)
from tests.worker import MODES, Worker, in_mode

ROWS: dict[str, Callable[[str], Any]] = {
    "row": lambda job_id: [(job_id,)],
    "row of an XCom": lambda job_id: [[f" {job_id}\n"]],
    "tuple": lambda job_id: (job_id,),
    "mapping": lambda job_id: [{"ID": job_id}],
    "mapping alone": lambda job_id: {"ID": job_id},
    "row as text": lambda job_id: f"[('{job_id}',)]",
    "tuple as text": lambda job_id: f" ('{job_id}',)\n",
    "mapping as text": lambda job_id: f"[{{'ID': '{job_id}'}}]",
    "mapping alone as text": lambda job_id: f"{{'ID': '{job_id}'}}",
    "row as JSON": lambda job_id: json.dumps([[job_id]]),
}
"""How Airflow may deliver the result of ``SELECT id … LIMIT 1``, by a handler and a template."""

ROW = pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)


@ROW
@IN_EACH_MODE
def test_a_sensor_takes_the_job_from_a_query_result(
    mode: str,
    row: Callable[[str], Any],
    cortex_emulator: Emulator,
    connection: str,
    worker: Worker,
) -> None:
    """The job may be the one cell of a query's result, in every form, and in every mode."""
    life = Life.at_once() if mode == "poke" else Life.by_looks(1)
    job = cortex_emulator.jobs.add(model="m", life=life)
    result = worker.run(lambda: sensor(row(job.id), **in_mode(mode)))
    assert result.state == "success", result
    assert result.xcoms["finetune_job"]["id"] == result.xcoms["finetune_job_id"] == job.id


@ROW
def test_cancelling_takes_the_job_from_a_query_result(
    row: Callable[[str], Any], cortex_emulator: Emulator, connection: str, worker: Worker
) -> None:
    """The job to cancel may be such a result, too."""
    job = cortex_emulator.jobs.add(model="m", life=Life.by_time(3600))
    result = worker.run(lambda: cancel(row(job.id)))
    assert result.xcoms == {"return_value": "CANCELLED"}


@NATIVE
@IN_EACH_MODE
@pytest.mark.parametrize("row", ["row", "mapping"])
def test_a_template_may_render_to_a_query_result(
    row: str,
    mode: str,
    native: bool,
    cortex_emulator: Emulator,
    connection: str,
    worker: Worker,
) -> None:
    """A template may render to such a result, or to its text."""
    job = cortex_emulator.jobs.add(model="m", life=Life.at_once())
    found = ROWS[row](job.id)
    result = render(
        worker, lambda: sensor("{{ found }}", **in_mode(mode)), native=native, found=found
    )
    assert result.state == "success", result


NO_ROWS: dict[str, tuple[Any, str]] = {
    "no rows": ([], "0 rows"),
    "an empty row": ([()], "0 rows or columns"),
    "rows": ([("ft_1",), ("ft_2",)], "2 rows"),
    "cells": ([("ft_1", "SUCCESS")], "2 rows or columns"),
    "cells of a mapping": ([{"ID": "ft_1", "STATUS": "SUCCESS"}], "2 rows or columns"),
    "no rows as text": ("[]", "0 rows"),
    "rows as text": ("[('ft_1',), ('ft_2',)]", "2 rows"),
    "cells as text": (" ('ft_1', 'SUCCESS')\n", "2 rows or columns"),
    "cells as JSON": ('[["ft_1", null]]', "2 rows or columns"),
    "cells with a time as text": ("[('ft_1', datetime.date(2026, 1, 1))]", "2 rows or columns"),
}
"""Results that are no job, and what the error says."""


@pytest.mark.parametrize("task", ["cancel", *MODES])
def test_a_result_of_several_cells_or_none_is_rejected(
    task: str, cortex_emulator: Emulator, connection: str, worker: Worker
) -> None:
    """A result of more or fewer cells than one is rejected, with advice, and nothing is sent."""
    make = cancel if task == "cancel" else lambda job_id: sensor(job_id, **in_mode(task))
    for which, (value, problem) in NO_ROWS.items():
        result = worker.run(lambda value=value: make(value))  # type: ignore[misc]
        assert (result.state, result.deferrals) == ("failed", 0), which
        assert str(result.error).startswith("finetune_job_id must be one value"), which
        assert problem in str(result.error), which
        assert "Select one row and one column" in str(result.error), which
    assert cortex_emulator.logins == 0


@pytest.mark.parametrize("value", [[(None,)], [[""]], [{"ID": None}], "[(None,)]", "[[null]]"])
@pytest.mark.parametrize("task", ["cancel", *MODES])
def test_an_empty_cell_is_rejected(
    task: str, value: Any, cortex_emulator: Emulator, connection: str, worker: Worker
) -> None:
    """A result whose only cell is empty is rejected, too."""
    make = cancel if task == "cancel" else lambda job_id: sensor(job_id, **in_mode(task))
    result = worker.run(lambda: make(value))
    assert (result.state, result.deferrals) == ("failed", 0)
    assert str(result.error).startswith("finetune_job_id must be non-empty text")
    assert cortex_emulator.logins == 0


def test_the_error_names_the_task_that_returned_the_rows(
    cortex_emulator: Emulator, connection: str, worker: Worker
) -> None:
    """The error shows the template, and so the task that returned the rows."""

    def make() -> CortexFineTuneSensor:
        return sensor("{{ ti.xcom_pull('select_job') }}", deferrable=True)

    ti = {"xcom_pull": lambda _: [("ft_1",), ("ft_2",)]}
    result = render(worker, make, ti=ti)
    assert result.state == "failed"
    assert "select_job" in str(result.error)


@pytest.mark.parametrize("row", [[(MODEL,)], [{"MODEL": MODEL}], f"[('{MODEL}',)]"], ids=repr)
def test_a_model_may_be_a_query_result(row: Any, years: None, worker: Worker) -> None:
    """The model may be the one cell of a query's result, too."""
    assert worker.run(lambda: complete(model=row)).xcoms["return_value"] == "leap"
    assert worker.run(lambda: complete_table(model=row)).xcoms["return_value"]["errors"] == 0


@pytest.mark.parametrize("make", [complete, complete_table])
def test_several_models_are_rejected(
    make: Any, cortex_emulator: Emulator, connection: str, worker: Worker
) -> None:
    """A result with several models is rejected, as one with several jobs is."""
    result = worker.run(lambda: make(model=[("m",), ("n",)]))
    assert result.state == "failed"
    assert str(result.error).startswith("model must be one value")
    assert cortex_emulator.logins == 0
