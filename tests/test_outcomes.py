"""
How a wait ends: one table, the same in every mode.

Each row is a thing that happens to a job or on the way to it; each is tried in poke, reschedule and
deferrable mode, with Airflow's soft_fail and never_fail, through the real driver.
"""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from airflow_provider_cortex.emulator import Emulator, Life
from airflow_provider_cortex.sensors import CortexFineTuneSensor
from tests.worker import MODES, Worker, in_mode

MODEL = "CORTEX_DB.PUBLIC.triage"


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    happens: Callable[[Emulator, str], None]
    """What happens, given the emulator and the job's id."""
    plain: str
    soft_fail: str
    never_fail: str
    says: tuple[str, ...]
    """What the error tells."""
    arguments: dict[str, Any] = field(default_factory=dict)
    modes: tuple[str, ...] = MODES


def success(emulator: Emulator, job_id: str) -> None:
    """Do nothing: the job runs for two looks, and succeeds."""


def success_without_model(emulator: Emulator, job_id: str) -> None:
    emulator.jobs.answer(job_id, json.dumps({"id": job_id, "status": "SUCCESS", "progress": 1.0}))


def unreadable_for_ever(emulator: Emulator, job_id: str) -> None:
    emulator.jobs.answer(job_id, "<html>Service unavailable</html>")


def null_for_ever(emulator: Emulator, job_id: str) -> None:
    emulator.jobs.answer(job_id, None)


def unreadable_for_a_moment(emulator: Emulator, job_id: str) -> None:
    emulator.jobs.answer(job_id, "<html>Service unavailable</html>", looks=2)


def error(emulator: Emulator, job_id: str) -> None:
    emulator.jobs.fail(job_id, code="INVALID_PARAMETER_VALUE", message="no rows in train")


def cancelled(emulator: Emulator, job_id: str) -> None:
    emulator.jobs.cancel(job_id)


def unknown_status(emulator: Emulator, job_id: str) -> None:
    answer = {"id": job_id, "status": "Paused", "progress": 0.4}
    emulator.jobs.answer(job_id, json.dumps(answer), looks=2)


def lower_case_status(emulator: Emulator, job_id: str) -> None:
    emulator.jobs.answer(job_id, json.dumps({"id": job_id, "status": "success", "model": MODEL}))


def stalls(emulator: Emulator, job_id: str) -> None:
    emulator.jobs.stall(job_id, progress=0.4)


def stalls_slowly(emulator: Emulator, job_id: str) -> None:
    stalls(emulator, job_id)
    emulator.statement_delay = 0.9  # the driver of these tests waits for 1 s


def overloaded_for_a_moment(emulator: Emulator, job_id: str) -> None:
    emulator.refuse(status=503, requests=1)


def overloaded_for_ever(emulator: Emulator, job_id: str) -> None:
    emulator.refuse(status=503)


def too_many_requests_for_a_moment(emulator: Emulator, job_id: str) -> None:
    emulator.refuse(status=429, requests=1)


def emulator_not_running(emulator: Emulator, job_id: str) -> None:
    emulator.stop()


def login_rejected(emulator: Emulator, job_id: str) -> None:
    emulator.refuse(login=True)


def no_connection(emulator: Emulator, job_id: str) -> None:
    del os.environ["AIRFLOW_CONN_SNOWFLAKE_DEFAULT"]


TABLE = {
    "SUCCESS": Row(success, "success", "success", "success", ()),
    "a status in lower case": Row(lower_case_status, "success", "success", "success", ()),
    "SUCCESS without a model": Row(
        success_without_model,
        *("up_for_retry", "up_for_retry", "skipped"),
        says=("named no model", '"status": "SUCCESS"'),
    ),
    "an answer nobody can read, for longer than the budget": Row(
        unreadable_for_ever,
        *("up_for_retry", "up_for_retry", "skipped"),
        says=("Lost contact", "<html>", "never seen", "may still be running"),
        arguments={"contact_timeout": 0.1},
    ),
    "a NULL, for longer than the budget": Row(
        null_for_ever,
        *("up_for_retry", "up_for_retry", "skipped"),
        says=("Lost contact", "None"),
        arguments={"contact_timeout": 0.1},
    ),
    "an answer nobody can read, for a moment": Row(
        unreadable_for_a_moment, "success", "success", "success", ()
    ),
    "ERROR": Row(
        error,
        *("failed", "skipped", "skipped"),
        says=("INVALID_PARAMETER_VALUE: no rows in train",),
    ),
    "CANCELLED": Row(cancelled, "failed", "skipped", "skipped", ("was cancelled",)),
    "CANCELLED, with skip_on_cancelled": Row(
        cancelled,
        *("skipped", "skipped", "skipped"),
        says=("was cancelled",),
        arguments={"skip_on_cancelled": True},
    ),
    "an unknown status": Row(unknown_status, "success", "success", "success", ()),
    "the sensor's timeout": Row(
        stalls,
        *("failed", "skipped", "skipped"),
        says=("Stopped waiting", "IN_PROGRESS 40 %", "may still be running"),
        arguments={"timeout": 0.2},
    ),
    "execution_timeout, between two looks": Row(
        stalls,
        *("up_for_retry", "skipped", "skipped"),
        says=("Stopped waiting", "IN_PROGRESS 40 %", "may still be running"),
        arguments={"execution_timeout": timedelta(seconds=4), "poke_interval": 60},
        modes=("poke",),
    ),
    "execution_timeout, in the middle of a look": Row(
        stalls_slowly,
        *("up_for_retry", "skipped", "skipped"),
        says=("Stopped waiting", "IN_PROGRESS 40 %", "may still be running"),
        arguments={"execution_timeout": timedelta(seconds=4)},
        modes=("poke",),
    ),
    "execution_timeout, while deferred": Row(
        stalls,
        *("up_for_retry", "skipped", "skipped"),
        says=("Stopped waiting", "IN_PROGRESS 40 %", "may still be running"),
        arguments={
            "execution_timeout": timedelta(hours=1),
            "timeout": timedelta(hours=2),
            "poke_interval": 300,
        },
        modes=("deferrable",),
    ),
    # Airflow means by it how long one look of a rescheduled sensor may take.
    "execution_timeout, of a rescheduled look": Row(
        unreadable_for_ever,
        *("up_for_retry", "skipped", "skipped"),
        says=("Stopped waiting", "never seen", "may still be running"),
        arguments={"execution_timeout": timedelta(seconds=1)},
        modes=("reschedule",),
    ),
    "503 for a moment": Row(overloaded_for_a_moment, "success", "success", "success", ()),
    "429 for a moment": Row(too_many_requests_for_a_moment, "success", "success", "success", ()),
    "503 for longer than the budget": Row(
        overloaded_for_ever,
        *("up_for_retry", "up_for_retry", "skipped"),
        says=("Lost contact", "'snowflake_default'", "may still be running"),
        arguments={"contact_timeout": 0.1},
    ),
    "nobody there for longer than the budget": Row(
        emulator_not_running,
        *("up_for_retry", "up_for_retry", "skipped"),
        says=("Lost contact", "'snowflake_default'", "python -m airflow_provider_cortex.emulator"),
        arguments={"contact_timeout": 0.1},
    ),
    "an unknown job": Row(
        success,
        *("failed", "skipped", "skipped"),
        says=("ft_unknown", "does not exist"),
        arguments={"finetune_job_id": "ft_unknown"},
    ),
    "a login that is rejected": Row(
        login_rejected,
        *("failed", "skipped", "skipped"),
        says=("'snowflake_default'", "Incorrect username or password"),
    ),
    "no such connection": Row(
        no_connection,
        *("up_for_retry", "up_for_retry", "skipped"),
        says=("snowflake_conn_id", "'snowflake_default'"),
    ),
    "no job's id": Row(
        success,
        *("failed", "skipped", "skipped"),
        says=("finetune_job_id",),
        arguments={"finetune_job_id": "  "},
    ),
}

FLAGS: dict[str, dict[str, Any]] = {
    "plain": {},
    "soft_fail": {"soft_fail": True},
    "never_fail": {"never_fail": True},
}


@pytest.mark.parametrize("flag", FLAGS)
@pytest.mark.parametrize(
    ("name", "mode"), [(name, mode) for name in TABLE for mode in TABLE[name].modes]
)
def test_a_wait_ends_the_same_in_every_mode(
    name: str, mode: str, flag: str, cortex_emulator: Emulator, connection: str, worker: Worker
) -> None:
    """What happened to the job decides how the task ends; how it was waited for does not."""
    row = TABLE[name]
    job = cortex_emulator.jobs.add(model=MODEL, life=Life.by_looks(2))
    row.happens(cortex_emulator, job.id)
    arguments: dict[str, Any] = {"finetune_job_id": job.id, "poke_interval": 0.01, "timeout": 60}
    arguments |= row.arguments

    result = worker.run(
        lambda: CortexFineTuneSensor(task_id="wait", **arguments, **in_mode(mode), **FLAGS[flag])
    )

    assert result.state == getattr(row, flag), result
    if result.state == "success":
        assert result.xcoms["return_value"] == result.xcoms["model"] == MODEL
        assert result.xcoms["finetune_job"]["id"] == job.id
    else:
        told = f"{result.error} {result.error.__cause__ if result.error else ''}"
        assert [piece for piece in row.says if piece not in told] == [], told
        assert "return_value" not in result.xcoms
        assert "model" not in result.xcoms
    assert not [s for s in cortex_emulator.statements if "CREATE" in s.sql or "CANCEL" in s.sql]
