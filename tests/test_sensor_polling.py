"""When a sensor polls, and what its log shows of it."""

import json
import re
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from airflow.exceptions import AirflowRescheduleException
from airflow.providers.common.compat.sdk import TaskDeferred

from airflow_provider_cortex.emulator import Emulator, Life
from airflow_provider_cortex.sensors import CortexFineTuneSensor
from airflow_provider_cortex.waiting.poller import FIRST_POLL_DELAY
from tests.tasks import IN_EACH_MODE, sensor
from tests.worker import Instance, Worker, in_mode

HOUR = 3600
DAY = 24 * HOUR


def context(wait: CortexFineTuneSensor, **instance: Any) -> Any:
    """Return the context in which Airflow would run the sensor."""
    return {"ti": Instance(wait, **instance)}


class SleepsError(Exception):
    """The main thread wants to sleep."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds


@pytest.fixture
def no_sleep(monkeypatch: pytest.MonkeyPatch) -> None:
    """Raise instead of sleeping in the main thread."""
    sleep = time.sleep

    def wake(seconds: float) -> None:
        if threading.current_thread() is threading.main_thread():
            raise SleepsError(seconds)
        sleep(seconds)

    monkeypatch.setattr(time, "sleep", wake)


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> float:
    """Stop the clock, so that a duration is exact however busy the machine is."""
    moment = time.time()
    monkeypatch.setattr(time, "time", lambda: moment)
    return moment


def seconds_slept(wait: CortexFineTuneSensor) -> float:
    """Let a sensor poll once, and return for how long it would sleep then."""
    with pytest.raises(SleepsError) as sleeps:
        wait.execute(context(wait))
    return sleeps.value.seconds


def rescheduled(wait: CortexFineTuneSensor, *, after: float) -> bool:
    """Let a rescheduled sensor poll once, and return whether it polls again *after* seconds."""
    began = time.time()
    with pytest.raises(AirflowRescheduleException) as rescheduled:
        wait.execute(context(wait))
    moment: float = rescheduled.value.reschedule_date.timestamp()
    # Airflow's date has no more than microseconds.
    return began + after - 0.001 <= moment <= time.time() + after + 0.001


# --- When ----------------------------------------------------------------------------------------


def test_a_given_poke_interval_is_fixed(cortex_emulator: Emulator, connection: str) -> None:
    """A poke_interval that the user gives is the interval, in every mode."""
    job = cortex_emulator.jobs.add(model="m", life=Life.by_time(HOUR))
    interval = timedelta(seconds=45)
    assert rescheduled(sensor(job.id, **in_mode("reschedule"), poke_interval=interval), after=45)
    wait = sensor(job.id, deferrable=True, poke_interval=45)
    with pytest.raises(TaskDeferred) as deferred:
        wait.execute(context(wait))
    assert deferred.value.trigger.serialize()[1]["poke_interval"] == 45


@pytest.mark.parametrize(
    ("age", "max_poke_interval", "delay"),
    [
        (HOUR, 300, 240),  # the square root of 20 s * 2,700 s, in whole minutes
        (DAY, 300, 300),
        (DAY, timedelta(minutes=20), 1140),
    ],
)
def test_without_poke_interval_the_job_decides(
    age: int,
    max_poke_interval: Any,
    delay: int,
    cortex_emulator: Emulator,
    connection: str,
) -> None:
    """Without a poke_interval polls are rare while the job's end is far off."""
    job = cortex_emulator.jobs.add(model="m")
    created = (time.time() - age) * 1000
    record = {"id": job.id, "status": "IN_PROGRESS", "created_on": created, "progress": 0.25}
    cortex_emulator.jobs.answer(job.id, json.dumps(record))
    wait = sensor(
        job.id,
        **in_mode("reschedule"),
        poke_interval=None,
        max_poke_interval=max_poke_interval,
        timeout=DAY,
    )
    # Another process polls next: no grid.
    assert rescheduled(wait, after=delay)


def test_a_poking_sensor_polls_on_the_grid(
    now: float, no_sleep: None, cortex_emulator: Emulator, connection: str
) -> None:
    """Poking sensors poll at full minutes, if the job decides: a warehouse wakes once for many."""
    job = cortex_emulator.jobs.add(model="m", life=Life.by_time(HOUR))
    seconds = seconds_slept(sensor(job.id, deferrable=False, poke_interval=None, timeout=DAY))
    assert 59 < seconds <= 120
    assert (now + seconds) % 60 == pytest.approx(0, abs=0.001)


@pytest.mark.parametrize("mode", ["poke", "reschedule"])
def test_a_fixed_interval_applies_after_a_failed_poll(
    mode: str, no_sleep: None, now: float, cortex_emulator: Emulator, connection: str
) -> None:
    """After a failed poll a worker waits for the given interval."""
    job = cortex_emulator.jobs.add(model="m", life=Life.by_looks(1))
    cortex_emulator.faults.add("null", requests=1)
    seconds = seconds_slept(sensor(job.id, **in_mode(mode), poke_interval=2))
    assert seconds == pytest.approx(2, abs=0.001)


@pytest.mark.parametrize("mode", ["poke", "reschedule"])
def test_pauses_double_after_each_failed_poll(
    mode: str,
    now: float,
    monkeypatch: pytest.MonkeyPatch,
    cortex_emulator: Emulator,
    connection: str,
    worker: Worker,
) -> None:
    """After several failed polls pauses double, on a worker too, from the given interval."""
    slept: list[float] = []
    sleep = time.sleep

    def record_pause(seconds: float) -> None:
        if threading.current_thread() is threading.main_thread():
            slept.append(seconds)
        else:
            sleep(seconds)

    monkeypatch.setattr(time, "sleep", record_pause)
    job = cortex_emulator.jobs.add(model="m", life=Life.at_once())
    cortex_emulator.faults.add("null", requests=3)
    result = worker.run(lambda: sensor(job.id, **in_mode(mode), poke_interval=2))
    assert result.state == "success", result
    assert slept == pytest.approx([2, 4, 8], abs=0.001)


def test_the_last_poll_comes_at_the_timeout(
    now: float, no_sleep: None, cortex_emulator: Emulator, connection: str
) -> None:
    """A poking sensor times out when its timeout says, however long the interval is."""
    job = cortex_emulator.jobs.add(model="m")
    cortex_emulator.jobs.stall(job.id)
    wait = sensor(job.id, deferrable=False, timeout=HOUR, poke_interval=DAY)
    started = {"ti": Instance(wait)}
    with pytest.raises(SleepsError) as sleeps:
        wait.execute(started)  # type: ignore[arg-type]
    left = started["ti"].start_date.timestamp() + HOUR - now
    assert sleeps.value.seconds == pytest.approx(left, abs=0.001)


def test_a_stall_is_noticed_when_it_is_due(
    now: float, no_sleep: None, cortex_emulator: Emulator, connection: str
) -> None:
    """The poll that notices a stall comes when it is due, however long the interval is."""
    job = cortex_emulator.jobs.add(model="m", life=Life.by_time(HOUR))
    wait = sensor(job.id, deferrable=False, poke_interval=600, stall_timeout=90, timeout=HOUR)
    assert seconds_slept(wait) == pytest.approx(90, abs=0.001)


def test_exponential_backoff_is_airflow_s(
    cortex_emulator: Emulator, connection: str, no_sleep: None
) -> None:
    """With exponential_backoff Airflow decides, up to its max_wait."""
    job = cortex_emulator.jobs.add(model="m", life=Life.by_time(HOUR))
    options = {"deferrable": False, "poke_interval": None, "timeout": DAY}
    assert seconds_slept(sensor(job.id, **options, exponential_backoff=True, max_wait=30)) <= 30


# --- How long the job takes ----------------------------------------------------------------------


CREATED = 1_790_000_000_000
"""Epoch milliseconds."""


def record(status: str, seconds: float) -> dict[str, Any]:
    """Return the XCom that an earlier run has left of its job."""
    return {
        "id": "ft_0",
        "status": status,
        "created_on": CREATED,
        "finished_on": CREATED + seconds * 1000,
    }


@pytest.mark.parametrize(
    ("expected", "earlier", "found"),
    [
        pytest.param(None, [("success", record("SUCCESS", 5))], None, id="not set"),
        pytest.param(1200, [], 1200, id="given in seconds"),
        pytest.param(timedelta(hours=1), [], 3600, id="given as a timedelta"),
        pytest.param("previous", [], None, id="no earlier run"),
        pytest.param(
            "previous",
            [("success", record("SUCCESS", 700)), ("success", record("SUCCESS", 800))],
            800,
            id="the last run's",
        ),
        pytest.param(
            "previous",
            [("success", record("SUCCESS", 700)), ("failed", record("ERROR", 9))],
            700,
            id="the last successful run's",
        ),
        pytest.param("previous", [("failed", record("ERROR", 9))], None, id="none succeeded"),
        pytest.param(0.5, [], 0.5, id="half a second"),
        pytest.param("previous", [("success", {"id": "ft_0"})], None, id="an unknown XCom"),
    ],
)
def test_the_trigger_gets_the_expected_duration(
    expected: Any,
    earlier: Any,
    found: float | None,
    cortex_emulator: Emulator,
    connection: str,
) -> None:
    """The worker finds out how long the job takes, and passes it to the trigger."""
    job = cortex_emulator.jobs.add(model="m", life=Life.by_time(HOUR))
    wait = sensor(job.id, deferrable=True, poke_interval=None, expected_duration=expected)
    with pytest.raises(TaskDeferred) as deferred:
        wait.execute(context(wait, earlier=earlier))
    arguments = deferred.value.trigger.serialize()[1]
    assert (arguments["poke_interval"], arguments["expected_duration"]) == (None, found)


# --- The log -------------------------------------------------------------------------------------


@IN_EACH_MODE
def test_the_log_shows_each_change_and_the_result(
    mode: str,
    cortex_emulator: Emulator,
    connection: str,
    worker: Worker,
    log_lines: Callable[[], list[str]],
) -> None:
    """The task's log shows each change while it waits, and at the end the model."""
    job = cortex_emulator.jobs.add(model="DB.S.m", life=Life.by_looks(3))

    worker.run(lambda: sensor(job.id, **in_mode(mode)))

    lines = [line for line in log_lines() if job.id[:7] in line]
    shown = [line for line in lines if "next poll in" in line]
    assert len(shown) == 3
    assert "PENDING" in shown[0]
    assert re.search(
        r"IN_PROGRESS [█░]{20} \d+ %  \d+ s elapsed, about \d+ s left; next poll in", shown[2]
    )
    assert [line for line in lines if f"{job.id} SUCCESS: model DB.S.m" in line]


@IN_EACH_MODE
def test_without_a_creation_time_the_log_counts_from_the_wait(
    mode: str,
    cortex_emulator: Emulator,
    connection: str,
    worker: Worker,
    log_lines: Callable[[], list[str]],
) -> None:
    """If Cortex does not report when a job was created, the log shows how long the wait took."""
    job = cortex_emulator.jobs.add(model="m", life=Life.by_looks(3))
    cortex_emulator.faults.add("record", remove=["created_on"])
    assert worker.run(lambda: sensor(job.id, **in_mode(mode))).state == "success"
    shown = [line for line in log_lines() if "next poll in" in line]
    assert len(shown) == 3
    assert all("s elapsed" in line for line in shown)


def test_an_unknown_status_is_logged_once(
    cortex_emulator: Emulator,
    connection: str,
    worker: Worker,
    log_lines: Callable[[], list[str]],
) -> None:
    """A wait warns once of a status that it does not know."""
    job = cortex_emulator.jobs.add(model="m")
    answer = json.dumps({"id": job.id, "status": "PAUSED"})
    cortex_emulator.jobs.answer(job.id, answer, looks=4)
    worker.run(lambda: sensor(job.id, deferrable=False))
    assert len([line for line in log_lines() if "'PAUSED', which this version" in line]) == 1


def test_the_log_announces_the_triggerer_s_first_poll(
    cortex_emulator: Emulator, connection: str, log_lines: Callable[[], list[str]]
) -> None:
    """The worker that defers logs when the triggerer polls, which is not before it may."""
    job = cortex_emulator.jobs.add(model="m", life=Life.by_time(HOUR))
    wait = sensor(job.id, deferrable=True, poke_interval=2)
    with pytest.raises(TaskDeferred):
        wait.execute(context(wait))
    assert [line for line in log_lines() if f"next poll in {FIRST_POLL_DELAY:.0f} s" in line]
