"""How a wait ends before its job: by a timeout, a stall, or lost contact."""

import re
import signal
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import (
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowSkipException,
    AirflowTaskTimeout,
)

from airflow_provider_cortex.emulator import Emulator, Life
from airflow_provider_cortex.errors import (
    ConnectionNotFoundError,
    ContactLostError,
    CortexError,
    FineTuneCancelledError,
    FineTuneFailedError,
    FineTuneStalledError,
    FineTuneTimeoutError,
    GateError,
    MissingModelError,
    RejectedError,
    TriggerEventError,
)
from tests.tasks import IN_EACH_MODE, sensor
from tests.worker import AIRFLOW_2, Instance, Worker, in_mode

FLAGS = pytest.mark.parametrize(
    ("flags", "state"),
    [({}, "failed"), ({"soft_fail": True}, "skipped"), ({"never_fail": True}, "skipped")],
)


def time_is_up(*_: Any, **__: Any) -> None:
    """Let execution_timeout pass, as Airflow's own timer does."""
    signal.raise_signal(signal.SIGALRM)


# --- Stalls ------------------------------------------------------------------------------------


@IN_EACH_MODE
@pytest.mark.parametrize(("flags", "state"), [({}, "failed"), ({"soft_fail": True}, "skipped")])
def test_a_stalled_job_ends_the_wait_like_a_timeout(
    flags: dict[str, bool],
    state: str,
    mode: str,
    cortex_emulator: Emulator,
    connection: str,
    worker: Worker,
) -> None:
    """A job without any change for stall_timeout ends the wait as a timeout does, in every mode."""
    if AIRFLOW_2 and mode == "reschedule":
        pytest.skip("Airflow 2 keeps nothing between two polls: rejected, see below")
    job = cortex_emulator.jobs.add(model="m")
    cortex_emulator.jobs.stall(job.id, progress=0.4)
    result = worker.run(
        lambda: sensor(job.id, stall_timeout=0.5, timeout=3600, retries=3, **flags, **in_mode(mode))
    )
    assert result.state == state
    error = result.error if state == "failed" else result.error and result.error.__cause__
    assert isinstance(error, AirflowSensorTimeout)
    assert f"{job.id} is stalled" in str(error)
    assert str(result.error) == str(error)  # Airflow logs only a skipped task's own message
    assert "IN_PROGRESS 40 %" in str(error)
    assert result.deferrals == (mode == "deferrable")


def test_stall_timeout_is_rejected_where_airflow_keeps_nothing(
    cortex_emulator: Emulator, connection: str
) -> None:
    """A rescheduled sensor without Airflow's store rejects stall_timeout, and says what to do."""
    wait = sensor(mode="reschedule", deferrable=False, stall_timeout=60)
    context: Any = {"ti": Instance(wait)}
    with pytest.raises(AirflowFailException, match=r"stall_timeout .*Use deferrable=True or mode="):
        wait.execute(context)
    assert cortex_emulator.logins == 0


# --- timeout and execution_timeout -------------------------------------------------------------


@pytest.mark.parametrize(("timeout", "state"), [(60, "success"), (0, "failed")])
def test_an_outcome_stands_if_the_time_is_up_while_the_session_closes(
    timeout: int,
    state: str,
    time_is_up_at_the_end: None,
    cortex_emulator: Emulator,
    worker: Worker,
) -> None:
    """The outcome stands even if execution_timeout passes before the session is closed."""
    job = cortex_emulator.jobs.add(model="m", life=Life.by_looks(0 if state == "success" else 9))
    result = worker.run(
        lambda: sensor(
            job.id, deferrable=False, timeout=timeout, execution_timeout=timedelta(hours=1)
        )
    )
    assert result.state == state
    assert result.xcoms.get("model") == ("m" if state == "success" else None)
    assert state == "success" or "Stopped waiting" in str(result.error)


@pytest.mark.parametrize(("limit", "waited"), [(3600, 3570), (100, 90)])
def test_a_deferred_wait_ends_before_its_execution_timeout(
    limit: int, waited: int, cortex_emulator: Emulator, connection: str, worker: Worker
) -> None:
    """A deferred wait ends half a minute, or a tenth, before execution_timeout, to report it."""
    job = cortex_emulator.jobs.add(model="m")
    cortex_emulator.jobs.stall(job.id)
    result = worker.run(
        lambda: sensor(
            job.id,
            deferrable=True,
            poke_interval=600,
            timeout=7200,
            execution_timeout=timedelta(seconds=limit),
        )
    )
    assert isinstance(result.error, AirflowTaskTimeout)
    assert f"after {waited} s" in str(result.error)


@FLAGS
def test_a_timeout_by_airflow_s_clock_names_the_job(
    flags: dict[str, bool],
    state: str,
    cortex_emulator: Emulator,
    connection: str,
    worker: Worker,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A timeout by the clock of Airflow's loop ends a wait like any other, and names the job."""
    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() - 3600)  # the loop has another clock
    job = cortex_emulator.jobs.add(model="m", life=Life.by_time(7200))
    result = worker.run(lambda: sensor(job.id, deferrable=False, timeout=0.1, **flags))
    assert result.state == state
    assert f"Stopped waiting for fine-tuning job {job.id} after 0 s" in str(result.error)
    assert "Last known state: PENDING" in str(result.error)


@FLAGS
def test_a_timeout_after_silenced_errors_names_the_job(
    flags: dict[str, bool],
    state: str,
    cortex_emulator: Emulator,
    connection: str,
    worker: Worker,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """So does one after errors that silent_fail has only logged."""
    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() - 3600)
    job = cortex_emulator.jobs.add(model="m", life=Life.by_time(7200))
    cortex_emulator.faults.add("unreadable", text="<html>")
    result = worker.run(
        lambda: sensor(
            job.id,
            deferrable=False,
            timeout=0.1,
            contact_timeout=0,
            silent_fail=True,
            **flags,
        )
    )
    assert result.state == state
    assert f"Stopped waiting for fine-tuning job {job.id} after 0 s" in str(result.error)
    assert "Last known state: never seen" in str(result.error)


def test_an_error_of_airflow_is_not_reported_as_a_timeout(
    cortex_emulator: Emulator,
    connection: str,
    worker: Worker,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A task that never_fail skips for an error of Airflow's own reports that, and no timeout."""
    job = cortex_emulator.jobs.add(model="m", life=Life.at_once())
    push = Instance.xcom_push

    def fail(instance: Instance, key: str, value: object) -> None:
        if key == "model":
            raise OSError("the database is down")
        push(instance, key, value)

    monkeypatch.setattr(Instance, "xcom_push", fail)
    result = worker.run(lambda: sensor(job.id, never_fail=True))
    assert result.state == "skipped"
    assert isinstance(result.error, AirflowSkipException)
    assert str(result.error) == str(result.error.__cause__) == "the database is down"


@pytest.mark.parametrize(
    ("flags", "state"),
    [({}, "up_for_retry"), ({"soft_fail": True}, "skipped"), ({"never_fail": True}, "skipped")],
)
def test_a_timeout_before_the_first_poll_says_never_seen(
    flags: dict[str, bool],
    state: str,
    worker: Worker,
    connection: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A wait that execution_timeout ends before its first poll says so, and how long it was."""
    monkeypatch.setattr(Instance, "xcom_pull", time_is_up)
    result = worker.run(
        lambda: sensor(
            poke_interval=None,
            deferrable=False,
            expected_duration="previous",
            execution_timeout=timedelta(hours=1),
            **flags,
        )
    )
    assert result.state == state
    assert re.search(r"after \d\d? s\. Last known state: never seen\.", str(result.error))


@pytest.mark.parametrize("flag", ["soft_fail", "never_fail"])
@pytest.mark.parametrize("deferrable", [False, True])
def test_a_wait_that_execution_timeout_skips_cancels_its_job(
    flag: str,
    deferrable: bool,
    cortex_emulator: Emulator,
    connection: str,
    worker: Worker,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With cancel_on_kill the job is cancelled also if the task is skipped, and not failed."""
    if not deferrable:
        monkeypatch.setattr(Instance, "xcom_pull", time_is_up)
    job = cortex_emulator.jobs.add(model="m")
    cortex_emulator.jobs.stall(job.id)
    result = worker.run(
        lambda: sensor(
            job.id,
            poke_interval=None,
            deferrable=deferrable,
            expected_duration="previous",
            timeout=7200,
            execution_timeout=timedelta(hours=1),
            cancel_on_kill=True,
            **{flag: True},
        )
    )
    assert result.state == "skipped"
    assert "Stopped waiting" in str(result.error)
    ((_, seen),) = cortex_emulator.jobs.all()
    assert seen.status == "CANCELLED"


def test_a_rescheduled_wait_counts_from_its_first_poll(
    cortex_emulator: Emulator, connection: str
) -> None:
    """A rescheduled sensor's timeout counts from its first poll, in whatever process that was."""
    job = cortex_emulator.jobs.add(model="m", life=Life.by_looks(2))
    wait = sensor(job.id, deferrable=False, mode="reschedule", timeout=3600, retries=2)
    first = datetime.now(tz=UTC) - timedelta(hours=2)
    context: Any = {"ti": Instance(wait, rescheduled_on=first, max_tries=2)}
    with pytest.raises(AirflowSensorTimeout, match=r"after 72\d\d s"):
        wait.execute(context)


# --- Lost contact ------------------------------------------------------------------------------


def test_a_poll_without_an_answer_is_a_failed_poll(
    cortex_emulator: Emulator, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A poll that Snowflake never answers fails, whatever timeouts the connection has."""
    monkeypatch.setenv("AIRFLOW_CONN_SNOWFLAKE_DEFAULT", cortex_emulator.airflow_connection)
    monkeypatch.setattr("airflow_provider_cortex.sensors.POLL_TIMEOUT_SECONDS", 1)
    cortex_emulator.faults.add("hang", at="statement")
    job = cortex_emulator.jobs.add(model="m", life=Life.at_once())
    result = worker.run(lambda: sensor(job.id, deferrable=False, contact_timeout=0.01))
    cortex_emulator.faults.clear()
    assert result.state == "up_for_retry"
    assert "Lost contact" in str(result.error)


@IN_EACH_MODE
def test_silent_fail_retries_lost_contact(
    mode: str, cortex_emulator: Emulator, connection: str, worker: Worker
) -> None:
    """With silent_fail a wait goes on after lost contact, in every mode."""
    job = cortex_emulator.jobs.add(model="m", life=Life.by_looks(1))
    cortex_emulator.jobs.answer(job.id, "<html>", looks=3)
    result = worker.run(
        lambda: sensor(job.id, silent_fail=True, contact_timeout=0.01, **in_mode(mode))
    )
    assert result.state == "success", result
    assert result.xcoms["model"] == "m"


def test_a_poll_that_silent_fail_logs_is_followed_by_a_pause(
    cortex_emulator: Emulator, connection: str
) -> None:
    """The pause is Airflow's: an error has none of its own. Without it the sensor would not rest."""
    job = cortex_emulator.jobs.add(model="m")
    cortex_emulator.jobs.answer(job.id, "<html>")
    wait = sensor(job.id, silent_fail=True, contact_timeout=0, poke_interval=None)
    context: Any = {"ti": Instance(wait)}
    with pytest.raises(ContactLostError):
        wait.poke(context)
    assert wait.next_pause(lambda: 60.0) == 60.0
    assert wait.open_hook is not None
    wait.close_hook(wait.open_hook)


# --- What Airflow sees -------------------------------------------------------------------------


TIMEOUT = FineTuneTimeoutError("ft_1", 9, "PENDING")
STALLED = FineTuneStalledError("ft_1", 9, "noon", "PENDING")
GATE = GateError("", "", {})
SHORT = {"execution_timeout": timedelta(seconds=9)}
EQUAL = {"execution_timeout": timedelta(seconds=60)}
LONG = {"execution_timeout": timedelta(seconds=90)}


@pytest.mark.parametrize(
    ("error", "expected", "arguments"),
    [
        (FineTuneFailedError("ft_1", "X", "no rows"), AirflowFailException, {}),
        (FineTuneCancelledError("ft_1"), AirflowFailException, {}),
        (FineTuneCancelledError("ft_1"), AirflowSkipException, {"skip_on_cancelled": True}),
        (FineTuneFailedError("ft_1", "X", "y"), AirflowFailException, {"skip_on_cancelled": True}),
        (TIMEOUT, AirflowSensorTimeout, {}),
        (TIMEOUT, AirflowTaskTimeout, {"deferrable": True, **SHORT}),
        (TIMEOUT, AirflowTaskTimeout, {"deferrable": True, **EQUAL}),
        (TIMEOUT, AirflowSensorTimeout, {"deferrable": True, **LONG}),
        (TIMEOUT, AirflowSensorTimeout, {"deferrable": False, **SHORT}),
        (STALLED, AirflowSensorTimeout, {}),
        (STALLED, AirflowSensorTimeout, {"deferrable": True, **SHORT}),
        (GATE, AirflowFailException, {"skip_on_cancelled": True}),
        (GATE, AirflowSkipException, {"gate": "skip"}),
        (FineTuneFailedError("ft_1", "X", "y"), AirflowFailException, {"gate": "skip"}),
        (RejectedError("ft_1 is unknown"), AirflowFailException, {}),
        (ContactLostError("ft_1", 900, "503", "PENDING"), ContactLostError, {}),
        (MissingModelError("ft_1", "{}"), MissingModelError, {}),
        (TriggerEventError("ft_1", None), TriggerEventError, {}),
        (ConnectionNotFoundError("ft_1"), ConnectionNotFoundError, {}),
    ],
)
def test_each_error_has_its_exception_for_airflow(
    error: CortexError, expected: type, arguments: dict[str, Any]
) -> None:
    """Each row of the table of outcomes: what Airflow sees of an error, with the same message."""
    found = sensor(**arguments).to_airflow_exception(error)
    assert type(found) is expected
    assert str(found) == str(error)
