"""
A task that one version of the package has deferred is finished by the next one.

``tests/serialized/<version>.json`` has what each version left in Airflow's database: the trigger,
and how the task goes on after it. Only the ids of the job and of the statement are placeholders.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import BaseOperator, TaskDeferred

from airflow_provider_cortex import triggers
from airflow_provider_cortex.emulator import Emulator, Life
from airflow_provider_cortex.provider_info import get_provider_info
from tests.clock import Clock
from tests.tasks import sensor
from tests.ticket_table import add_model, complete_table, create_tickets
from tests.worker import Instance, fire

SERIALIZED = Path(__file__).with_name("serialized")
JOB, QUERY = "<job>", "<query>"
VERSIONS = sorted(path.stem for path in SERIALIZED.glob("*.json"))
WAITS = ("sensor", "sensor with every argument", "table")


@dataclass(frozen=True)
class Deferred:
    """A deferred task as Airflow's database has it."""

    trigger: str
    arguments: dict[str, Any]
    method: str
    kwargs: dict[str, Any]

    @classmethod
    def read(cls, version: str, wait: str, **ids: str) -> "Deferred":
        """Return what a version wrote, for the job or statement of this test."""
        kept = json.loads((SERIALIZED / f"{version}.json").read_text(encoding="utf-8"))[wait]
        text = json.dumps(kept)
        for placeholder, value in ids.items():
            text = text.replace(f"<{placeholder}>", value)
        return cls(**json.loads(text))

    def finish(self, task: BaseOperator) -> Any:
        """Run the trigger, then the task, with a clock that goes on where the worker's was."""
        package, _, name = self.trigger.rpartition(".")
        assert package == triggers.__name__
        clock = Clock(self.arguments["started_at"] + 1)
        event = fire(getattr(triggers, name)(**self.arguments), clock)
        context: Any = {"ti": Instance(task, run_id="weekly_1"), "task": task}
        return task.resume_execution(self.method, {**self.kwargs, "event": event}, context)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("wait", ["sensor", "sensor with every argument"])
def test_a_wait_that_an_earlier_version_deferred_is_finished(
    version: str, wait: str, cortex_emulator: Emulator, connection: str
) -> None:
    """The trigger polls the job to its end, and the sensor returns its model."""
    job = cortex_emulator.jobs.add(model="DB.S.m", life=Life.by_looks(3))
    deferred = Deferred.read(version, wait, job=job.id)
    assert deferred.finish(sensor(job.id, deferrable=True)) == "DB.S.m"


@pytest.mark.parametrize("version", VERSIONS)
def test_a_statement_that_an_earlier_version_deferred_is_finished(
    version: str, cortex_emulator: Emulator, connection: str
) -> None:
    """The trigger polls the statement to its end, and the operator counts its rows."""
    create_tickets(cortex_emulator)
    add_model(cortex_emulator)
    cortex_emulator.query_life = Life.by_looks(3)
    task = complete_table(deferrable=True)
    query_id = str(deferral(task).trigger.serialize()[1]["query_id"])
    deferred = Deferred.read(version, "table", query=query_id)
    assert deferred.finish(task)["rows"] == 2


def test_what_this_version_leaves_in_the_database_is_kept(
    cortex_emulator: Emulator, connection: str
) -> None:
    """
    The names of everything that a deferred task leaves are those in this version's file.

    If a released version left something else, its file stays as it is: give the package a new
    version, and keep what the assertion shows as the file of that.
    """
    written = {wait: as_stored(task) for wait, task in tasks(cortex_emulator).items()}
    version = get_provider_info()["versions"][0]
    kept = json.loads((SERIALIZED / f"{version}.json").read_text(encoding="utf-8"))
    assert names(kept) == names(written), json.dumps(written, indent=2)


def tasks(emulator: Emulator) -> dict[str, BaseOperator]:
    """Return a task for each kind of wait, all of which defer."""
    create_tickets(emulator)
    add_model(emulator)
    emulator.query_life = Life.by_looks(3)
    job = emulator.jobs.add(model="DB.S.m", life=Life.by_looks(20))
    table = complete_table(deferrable=True)
    every = sensor(
        job.id,
        deferrable=True,
        poke_interval=None,
        max_poke_interval=120,
        expected_duration=1800,
        contact_timeout=60,
        stall_timeout=7200,
        cancel_on_kill=True,
        timeout=86400,
        role="TRAINER",
        session_parameters={"TIMEZONE": "UTC"},
    )
    return dict(zip(WAITS, (sensor(job.id, deferrable=True), every, table), strict=True))


def deferral(task: BaseOperator) -> TaskDeferred:
    """Run a task until it defers."""
    context: Any = {"ti": Instance(task, run_id="weekly_1"), "task": task}
    with pytest.raises(TaskDeferred) as deferred:
        task.execute(context)
    return deferred.value


def as_stored(task: BaseOperator) -> dict[str, Any]:
    """Return what Airflow's database has of a deferred task, with placeholders as ids."""
    deferred = deferral(task)
    trigger, arguments = deferred.trigger.serialize()
    ids = {"finetune_job_id": JOB, "query_id": QUERY}
    text = json.dumps(
        {
            "trigger": trigger,
            "arguments": arguments,
            "method": deferred.method_name,
            "kwargs": deferred.kwargs or {},
        }
    )
    for name, placeholder in ids.items():
        if name in arguments:
            text = text.replace(str(arguments[name]), placeholder)
    return dict(json.loads(text))


def names(kept: Any) -> Any:
    """Return the same records with their keys and texts alone."""
    if isinstance(kept, dict):
        return {key: names(value) for key, value in kept.items()}
    return type(kept).__name__
