"""Timeouts that the user does not set: the driver's, and Airflow's for a deferred task."""

import json
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import BaseOperator, TaskDeferred

from airflow_provider_cortex.emulator import Emulator, Life
from airflow_provider_cortex.hooks import CortexHook
from airflow_provider_cortex.operators import CortexCompleteTableOperator
from airflow_provider_cortex.sensors import CortexFineTuneSensor
from tests.worker import Instance

Limits = tuple[int | None, int | None, int | None]
Connect = Callable[..., None]


@pytest.fixture
def connect(cortex_emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Connect:
    """Make the emulator the default connection, with only these fields added to its extra."""

    def change(**extra: Any) -> None:
        settings = json.loads(cortex_emulator.airflow_connection)
        settings["extra"] |= extra
        monkeypatch.setenv("AIRFLOW_CONN_SNOWFLAKE_DEFAULT", json.dumps(settings))

    return change


def limits(**arguments: Any) -> Limits:
    """Return the driver's timeouts in a new session: for logins, retries and sockets."""
    session = CortexHook("snowflake_default", **arguments).get_conn()
    try:
        return session.login_timeout, session.network_timeout, session.socket_timeout
    finally:
        session.close()


@pytest.mark.parametrize(
    ("network_timeout", "expected"),
    [(None, (60, None, None)), (20, (20, 20, 20)), (60, (60, 60, 60)), (90, (60, 90, 90))],
)
def test_a_login_times_out_after_a_minute(
    network_timeout: int | None, expected: Limits, connect: Connect
) -> None:
    """A login is given up after a minute at most, whatever limits statements."""
    connect()
    assert limits(network_timeout=network_timeout) == expected


@pytest.mark.parametrize("network_timeout", [None, 20])
@pytest.mark.parametrize(
    "extra",
    [
        {"login_timeout": 7, "network_timeout": 8, "socket_timeout": 9},
        {"login_timeout": "7", "network_timeout": "8", "socket_timeout": "9"},
    ],
    ids=["numbers", "text"],
)
def test_timeouts_of_the_connection_replace_all_defaults(
    extra: dict[str, Any], network_timeout: int | None, connect: Connect
) -> None:
    """Timeouts in the connection's extra win; in a connection written as a URI they are text."""
    connect(**extra)
    assert limits(network_timeout=network_timeout) == (7, 8, 9)


@pytest.mark.parametrize("name", ["login_timeout", "network_timeout", "socket_timeout"])
def test_a_timeout_of_the_connection_replaces_its_own_default_only(
    name: str, connect: Connect
) -> None:
    """One timeout in the connection's extra leaves the other defaults."""
    connect(**{name: 7})
    given = limits(network_timeout=20)
    assert sorted(given, key=str) == [20, 20, 7]
    assert given[["login_timeout", "network_timeout", "socket_timeout"].index(name)] == 7


@pytest.mark.parametrize("seconds", [0.2, "0.2"])
def test_a_timeout_below_a_second_is_not_rounded_to_none(seconds: object, connect: Connect) -> None:
    """A timeout below a second stays: rounded to 0 it would switch off what it limits."""
    connect(platform_detection_timeout_seconds=seconds)
    session = CortexHook("snowflake_default").get_conn()
    assert session.platform_detection_timeout_seconds == 0.2
    session.close()


def sensor(**arguments: Any) -> BaseOperator:
    return CortexFineTuneSensor(
        task_id="wait", finetune_job_id="{{ job_id }}", deferrable=True, **arguments
    )


def answer_table(**arguments: Any) -> BaseOperator:
    return CortexCompleteTableOperator(
        task_id="answer",
        model="mistral-7b",
        source="SELECT 'red' AS body",
        destination="answers",
        prompt_column="body",
        deferrable=True,
        **arguments,
    )


@pytest.mark.parametrize(
    ("make", "arguments"),
    [
        (sensor, {"timeout": 600}),
        (sensor, {"timeout": 3600, "execution_timeout": timedelta(minutes=10)}),
        (answer_table, {"execution_timeout": timedelta(minutes=10)}),
    ],
)
def test_a_deferral_ends_a_minute_after_its_deadline(
    make: Callable[..., Any],
    arguments: dict[str, Any],
    connection: str,
    cortex_emulator: Emulator,
) -> None:
    """Until Airflow ends a deferral, the trigger has had its last poll."""
    cortex_emulator.query_life = Life.by_time(3600)
    job = cortex_emulator.jobs.add(model="m", life=Life.by_time(3600))
    task = make(**arguments)
    values: Any = {"job_id": job.id}
    task.render_template_fields(values)
    began = time.time()
    with pytest.raises(TaskDeferred) as deferred:
        task.execute({"ti": Instance(task), "task": task})
    deadline = deferred.value.trigger.serialize()[1]["deadline"]
    timeout = deferred.value.timeout
    assert timeout is not None
    # Airflow counts from when the task defers.
    assert began <= deadline + 60 - timeout.total_seconds() <= time.time()


def test_without_execution_timeout_a_statement_has_no_deadline(
    connection: str, cortex_emulator: Emulator
) -> None:
    """Without execution_timeout a statement may take as long as it needs."""
    cortex_emulator.query_life = Life.by_time(3600)
    task: Any = answer_table()
    with pytest.raises(TaskDeferred) as deferred:
        task.execute({"ti": Instance(task), "task": task})
    assert deferred.value.timeout is None
    assert deferred.value.trigger.serialize()[1]["deadline"] is None
