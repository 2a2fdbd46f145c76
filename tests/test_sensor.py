"""The sensor: what it takes, what it says, what it hands on, what it leaves alone."""

import copy
import json
import re
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from airflow.exceptions import AirflowRescheduleException
from airflow.providers.common.compat.sdk import (
    DAG,
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowSkipException,
    AirflowTaskTimeout,
    TaskDeferred,
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
    TriggerCrashedError,
    TriggerEventError,
)
from airflow_provider_cortex.operators import CortexFineTuneOperator
from airflow_provider_cortex.sensors import CortexFineTuneSensor
from airflow_provider_cortex.triggers import FIRST_POLL_DELAY
from tests.clock import wait_until
from tests.worker import AIRFLOW_2, MODES, Instance, Worker, in_mode


def sensor(job_id: Any = "ft_1", **arguments: Any) -> CortexFineTuneSensor:
    """Return a sensor that looks as often as it may, but not for ever."""
    defaults: dict[str, Any] = {"task_id": "wait", "poke_interval": 0.01, "timeout": 60}
    return CortexFineTuneSensor(finetune_job_id=job_id, **(defaults | arguments))


def context(wait: CortexFineTuneSensor, **instance: Any) -> Any:
    """Return the context in which Airflow would run the sensor."""
    return {"ti": Instance(wait, **instance)}


@pytest.mark.parametrize("mode", MODES)
def test_xcoms(mode: str, cortex_emulator: Emulator, connection: str, worker: Worker) -> None:
    """The next task finds the model's name, and all that Cortex told, in every mode alike."""
    job = cortex_emulator.jobs.add(model="DB.S.it's mine", life=Life.by_looks(1))
    told = {"id": job.id, "status": "SUCCESS", "model": "DB.S.it's mine_1", "cost": {"credits": 3}}
    cortex_emulator.jobs.answer(job.id, json.dumps(told))

    result = worker.run(lambda: sensor(job.id, **in_mode(mode)))

    assert result.xcoms == {
        "return_value": "DB.S.it's mine_1",
        "model": "DB.S.it's mine_1",
        "finetune_job": told,
        "finetune_job_id": job.id,
    }


@pytest.mark.parametrize("mode", MODES)
def test_failed_job_is_recorded(
    mode: str, cortex_emulator: Emulator, connection: str, worker: Worker
) -> None:
    """A job that failed leaves its record too, for whoever is called about it."""
    job = cortex_emulator.jobs.add(model="m")
    cortex_emulator.jobs.fail(job.id, code="X", message="no rows")
    result = worker.run(lambda: sensor(job.id, **in_mode(mode)))
    assert result.xcoms["finetune_job"]["error"] == {"code": "X", "message": "no rows"}


def test_no_xcom_where_none_is_wanted(
    cortex_emulator: Emulator, connection: str, worker: Worker
) -> None:
    """do_xcom_push=False leaves only what execute returns, which Airflow then drops."""
    job = cortex_emulator.jobs.add(model="m")
    assert worker.run(lambda: sensor(job.id, do_xcom_push=False)).xcoms.keys() == {"return_value"}


def good(emulator: Emulator) -> str:
    """Let a job succeed at the second look, with figures like Snowflake's, and return its id."""
    job = emulator.jobs.add(model="DB.S.m", life=Life.by_time(3600))
    figures = {"training_loss": 0.5, "validation_loss": 1.0125}
    succeeded = {"status": "SUCCESS", "model": "DB.S.m_1", "training_result": figures}
    emulator.faults.add("record", requests=1)
    emulator.faults.add("record", set=succeeded)
    return job.id


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("arguments", "state"),
    [
        ({}, "failed"),
        ({"gate": "skip"}, "skipped"),
        ({"soft_fail": True}, "skipped"),
        ({"never_fail": True}, "skipped"),
    ],
)
def test_a_model_that_misses_its_gate(
    arguments: dict[str, Any],
    state: str,
    mode: str,
    cortex_emulator: Emulator,
    connection: str,
    worker: Worker,
) -> None:
    """A model that is not good enough is told of, with its job, and not handed on: in every mode."""
    job_id = good(cortex_emulator)
    limits = {"max_validation_loss": 0.9, "max_training_loss": 0.6, "max_trained_tokens": 10}
    result = worker.run(lambda: sensor(job_id, **limits, **arguments, **in_mode(mode)))
    assert result.state == state
    assert result.deferrals == (mode == "deferrable")
    assert result.xcoms.keys() == {"finetune_job", "finetune_job_id"}
    assert result.xcoms["finetune_job"]["model"] == "DB.S.m_1"
    error = result.error
    while error is not None and not isinstance(error, GateError):
        error = error.__cause__
    assert "Model DB.S.m_1 of" in str(error)
    assert "validation_loss is 1.0125, above max_validation_loss = 0.9" in str(error)
    assert "reported no trained_tokens" in str(error)
    assert "training_loss is 0.5" not in str(error)


@pytest.mark.parametrize("mode", MODES)
def test_a_model_that_passes_its_gate(
    mode: str, cortex_emulator: Emulator, connection: str, worker: Worker
) -> None:
    """A model whose figures keep to their limits is handed on as ever; limits may be templates."""
    job_id = good(cortex_emulator)

    def make() -> CortexFineTuneSensor:
        wait = sensor(job_id, max_validation_loss="{{ limit }}", gate="skip", **in_mode(mode))
        values: Any = {"limit": 1.5}
        wait.render_template_fields(values)
        return wait

    result = worker.run(make)
    assert result.state == "success"
    assert result.xcoms["return_value"] == result.xcoms["model"] == "DB.S.m_1"


@pytest.mark.parametrize("deferrable", [True, False])
@pytest.mark.parametrize("value", ["", "None", None, "low", "-1", "nan", True], ids=repr)
def test_a_limit_that_rendered_to_nothing(
    value: object, deferrable: bool, cortex_emulator: Emulator, connection: str
) -> None:
    """A gate that would let everything pass, or nothing, is refused before the wait for the job begins."""
    wait = sensor(deferrable=deferrable, max_training_loss="{{ limit }}")
    wait.max_training_loss = value  # type: ignore[assignment]  # as rendering does
    with pytest.raises(AirflowFailException, match="max_training_loss must be a number"):
        wait.execute(context(wait))
    assert cortex_emulator.logins == 0


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("flags", "state"), [({}, "failed"), ({"soft_fail": True}, "skipped")])
def test_a_job_that_stands_still(
    flags: dict[str, bool],
    state: str,
    mode: str,
    cortex_emulator: Emulator,
    connection: str,
    worker: Worker,
) -> None:
    """A job in which nothing changes for stall_timeout ends the wait as a timeout does, in every mode."""
    if AIRFLOW_2 and mode == "reschedule":
        pytest.skip("Airflow 2 keeps nothing between two reschedules: refused, see below")
    job = cortex_emulator.jobs.add(model="m")
    cortex_emulator.jobs.stall(job.id, progress=0.4)
    result = worker.run(
        lambda: sensor(job.id, stall_timeout=0.5, timeout=3600, retries=3, **flags, **in_mode(mode))
    )
    assert result.state == state
    error = result.error if state == "failed" else result.error and result.error.__cause__
    assert isinstance(error, AirflowSensorTimeout)
    assert f"{job.id} is stalled" in str(error)
    assert "IN_PROGRESS 40 %" in str(error)
    assert result.deferrals == (mode == "deferrable")


def test_a_stall_that_a_poking_sensor_waits_for(
    cortex_emulator: Emulator, connection: str, no_sleep: None
) -> None:
    """The look that notices the stall comes when it is due, however long the interval."""
    job = cortex_emulator.jobs.add(model="m", life=Life.by_time(3600))
    wait = sensor(job.id, deferrable=False, poke_interval=600, stall_timeout=90, timeout=3600)
    with pytest.raises(SleepsError) as sleeps:
        wait.execute(context(wait))
    assert sleeps.value.seconds == pytest.approx(90, abs=1)


def test_deferral_carries_where_the_job_stands(cortex_emulator: Emulator, connection: str) -> None:
    """The trigger goes on counting from when the worker saw the job."""
    job = cortex_emulator.jobs.add(model="m", life=Life.by_time(3600))
    wait = sensor(job.id, deferrable=True, stall_timeout=timedelta(hours=2))
    began = time.time()
    with pytest.raises(TaskDeferred) as deferred:
        wait.execute(context(wait))
    told = deferred.value.trigger.serialize()[1]
    assert told["stall_timeout"] == 7200
    assert (told["standing"]["status"], told["standing"]["progress"]) == ("PENDING", 0)
    assert began <= told["standing"]["since"] <= time.time()


def test_a_rescheduled_sensor_that_can_note_nothing(
    cortex_emulator: Emulator, connection: str, worker: Worker
) -> None:
    """Where Airflow keeps nothing between two reschedules, stall_timeout is refused with the way out."""
    wait = sensor(mode="reschedule", deferrable=False, stall_timeout=60)
    with pytest.raises(AirflowFailException, match=r"stall_timeout .*Use deferrable=True or mode="):
        wait.execute(context(wait))
    assert cortex_emulator.logins == 0


def test_id_with_white_space(cortex_emulator: Emulator, connection: str, worker: Worker) -> None:
    """The line end that a template leaves is not part of the id."""
    job = cortex_emulator.jobs.add(model="m", life=Life.by_looks(1))
    assert worker.run(lambda: sensor(f"\n {job.id}\n", deferrable=True)).state == "success"


def test_finished_job_never_defers(
    cortex_emulator: Emulator, connection: str, worker: Worker
) -> None:
    """The worker looks once before it defers."""
    job = cortex_emulator.jobs.add(model="m", life=Life.at_once())
    result = worker.run(lambda: sensor(job.id, deferrable=True))
    assert (result.state, result.deferrals) == ("success", 0)


def test_wrong_id_never_defers(connection: str, worker: Worker) -> None:
    """An id that Cortex does not know fails at once."""
    result = worker.run(lambda: sensor("ft_nobody", deferrable=True))
    assert (result.state, result.deferrals) == ("failed", 0)


@pytest.mark.parametrize("deferrable", [True, False])
@pytest.mark.parametrize("value", ["", "   ", "None", None, True, b"ft_1"], ids=repr)
def test_id_that_rendered_to_nothing(
    value: object, deferrable: bool, cortex_emulator: Emulator, connection: str
) -> None:
    """An id that names no job fails before any SQL, and says where it was to come from."""
    with DAG("tickets", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC)):
        start = CortexFineTuneOperator(
            task_id="start_training", model="m", base_model="b", training_data="q"
        )
        wait = sensor(start.output, deferrable=deferrable)
    wait.finetune_job_id = value  # type: ignore[assignment]  # as rendering does

    with pytest.raises(AirflowFailException) as failure:
        wait.execute(context(wait))

    assert "finetune_job_id" in str(failure.value)
    assert "start_training" in str(failure.value)
    found = repr(value) if value is None or isinstance(value, str) else type(value).__name__
    assert f"got {found} from" in str(failure.value).replace("a value of type ", "")
    assert cortex_emulator.logins == 0


def test_templated_fields(cortex_emulator: Emulator, connection: str, worker: Worker) -> None:
    """The job and everything about the session can be templates."""
    job = cortex_emulator.jobs.add(model="m")
    names = ("warehouse", "database", "schema", "role", "authenticator", "snowflake_conn_id")
    wait = sensor("{{ job }}", **{name: f"{{{{ {name} }}}}" for name in names})
    wait.session_parameters = {"TIMEZONE": "{{ zone }}"}
    values: Any = {"job": job.id, "zone": "UTC"} | {name: name for name in names}
    wait.render_template_fields(values)
    assert wait.finetune_job_id == job.id
    assert [getattr(wait, name) for name in names] == list(names)
    assert wait.session_parameters == {"TIMEZONE": "UTC"}


def test_copy(cortex_emulator: Emulator, connection: str, worker: Worker) -> None:
    """A deep copy, such as Airflow makes of a part of a DAG, works as the sensor does."""
    job = cortex_emulator.jobs.add(model="m")
    assert worker.run(lambda: copy.deepcopy(sensor(job.id))).state == "success"


def test_default_arguments(connection: str) -> None:
    """A DAG's default_args reach the connection and session arguments."""
    defaults = {"snowflake_conn_id": "sf", "role": "R", "poke_interval": 300, "deferrable": True}
    with DAG("d", schedule=None, default_args=defaults):
        wait = CortexFineTuneSensor(task_id="wait", finetune_job_id="ft_1")
    assert (wait.snowflake_conn_id, wait.role, wait.poke_interval) == ("sf", "R", 300)
    assert wait.deferrable
    assert not wait.adaptive


def test_given_interval_is_the_interval(
    cortex_emulator: Emulator, connection: str, worker: Worker
) -> None:
    """A poke_interval that the user gives is the fixed one that Airflow users know, in every mode."""
    job = cortex_emulator.jobs.add(model="m", life=Life.by_time(3600))
    wait = sensor(job.id, mode="reschedule", deferrable=False, poke_interval=timedelta(seconds=45))
    assert 44 < seconds_to_the_next_look(wait) < 46
    with pytest.raises(TaskDeferred) as deferred:
        sensor(job.id, deferrable=True, poke_interval=45).execute(context(wait))
    assert deferred.value.trigger.serialize()[1]["poke_interval"] == 45


def test_interval_of_its_own(cortex_emulator: Emulator, connection: str, worker: Worker) -> None:
    """Without a poke_interval the job decides: a rescheduled sensor looks rarely while the end is far."""
    job = cortex_emulator.jobs.add(model="m")
    began = (time.time() - 3600) * 1000
    told = {"id": job.id, "status": "IN_PROGRESS", "created_on": began, "progress": 0.25}
    cortex_emulator.jobs.answer(job.id, json.dumps(told))
    wait = sensor(job.id, mode="reschedule", deferrable=False, poke_interval=None, timeout=86400)
    # Rescheduled, it is another process that looks next: no grid.
    assert 299 < seconds_to_the_next_look(wait) <= 300
    wait = sensor(
        job.id,
        mode="reschedule",
        deferrable=False,
        poke_interval=None,
        max_poke_interval=timedelta(minutes=20),
        timeout=86400,
    )
    assert 600 < seconds_to_the_next_look(wait) <= 1200


def test_who_asks(cortex_emulator: Emulator, connection: str, worker: Worker) -> None:
    """A worker's statements are tagged with the DAG, the task and the run that ask."""
    job = cortex_emulator.jobs.add(model="m", life=Life.by_looks(0))
    worker.run(lambda: sensor(job.id, deferrable=False))
    (tag,) = {statement.query_tag for statement in cortex_emulator.statements}
    told = json.loads(tag or "")
    assert told["run_id"].startswith("weekly_")
    assert (told["package"], told["task_id"]) == ("airflow-provider-cortex", "wait")
    assert told["dag_id"]


def test_a_look_that_hangs(
    cortex_emulator: Emulator, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A look that nobody answers is a look that failed, whatever the connection allows the driver."""
    monkeypatch.setenv("AIRFLOW_CONN_SNOWFLAKE_DEFAULT", cortex_emulator.airflow_connection)
    monkeypatch.setattr("airflow_provider_cortex.sensors.NETWORK_TIMEOUT", 1)
    cortex_emulator.faults.add("slow", delay=4.0, at="statement")
    job = cortex_emulator.jobs.add(model="m", life=Life.by_looks(0))
    result = worker.run(lambda: sensor(job.id, deferrable=False, contact_timeout=0.01))
    assert result.state == "up_for_retry"
    assert "Lost contact" in str(result.error)


class SleepsError(Exception):
    """Somebody wants to sleep."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.until = time.time() + seconds


@pytest.fixture
def no_sleep(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nobody sleep in the main thread."""
    sleep = time.sleep

    def wake(seconds: float) -> None:
        if threading.current_thread() is threading.main_thread():
            raise SleepsError(seconds)
        sleep(seconds)

    monkeypatch.setattr(time, "sleep", wake)


def test_a_poking_sensor_keeps_to_the_grid(
    cortex_emulator: Emulator, connection: str, no_sleep: None
) -> None:
    """Poking sensors look at common moments, if the job decides: a warehouse wakes once for many."""
    job = cortex_emulator.jobs.add(model="m", life=Life.by_time(3600))
    wait = sensor(job.id, deferrable=False, poke_interval=None, timeout=86400)
    with pytest.raises(SleepsError) as sleeps:
        wait.execute(context(wait))
    assert 58 <= sleeps.value.seconds <= 300
    assert min(sleeps.value.until % 60, -sleeps.value.until % 60) < 2


@pytest.mark.parametrize("mode", ["poke", "reschedule"])
def test_a_fixed_interval_amid_trouble(
    mode: str, cortex_emulator: Emulator, connection: str, worker: Worker, no_sleep: None
) -> None:
    """After a look that failed a worker waits for the interval that was given."""
    job = cortex_emulator.jobs.add(model="m", life=Life.by_looks(1))
    cortex_emulator.faults.add("null", requests=1)
    wait = sensor(job.id, **in_mode(mode), poke_interval=2)
    with pytest.raises(SleepsError) as sleeps:
        wait.execute(context(wait))
    assert sleeps.value.seconds == 2


def test_the_log_tells_the_triggerers_first_look(
    cortex_emulator: Emulator, connection: str, log_lines: Callable[[], list[str]]
) -> None:
    """The worker that hands over says when the triggerer looks, which is not before it can."""
    job = cortex_emulator.jobs.add(model="m", life=Life.by_time(3600))
    wait = sensor(job.id, deferrable=True, poke_interval=2)
    with pytest.raises(TaskDeferred):
        wait.execute(context(wait))
    assert [line for line in log_lines() if f"next look in {FIRST_POLL_DELAY:.0f} s" in line]


def test_exponential_backoff_is_airflow_s(
    cortex_emulator: Emulator, connection: str, worker: Worker
) -> None:
    """Who asks Airflow for its exponential backoff gets that."""
    job = cortex_emulator.jobs.add(model="m", life=Life.by_time(3600))
    options = {"mode": "reschedule", "deferrable": False, "poke_interval": None}
    wait = sensor(job.id, **options, exponential_backoff=True, max_wait=30, timeout=86400)
    assert seconds_to_the_next_look(wait) < 31


def seconds_to_the_next_look(wait: CortexFineTuneSensor) -> float:
    """Let a rescheduled sensor look once, and return for when it is rescheduled."""
    with pytest.raises(AirflowRescheduleException) as rescheduled:
        wait.execute(context(wait))
    return float(rescheduled.value.reschedule_date.timestamp() - time.time())


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
        pytest.param(None, [("success", record("SUCCESS", 5))], None, id="not asked for"),
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
            id="the last one's that succeeded",
        ),
        pytest.param("previous", [("failed", record("ERROR", 9))], None, id="none succeeded"),
        pytest.param(0.5, [], 0.5, id="hardly any"),
        pytest.param("previous", [("success", {"id": "ft_0"})], None, id="another's XCom"),
    ],
)
def test_expected_duration(
    expected: Any,
    earlier: Any,
    found: float | None,
    cortex_emulator: Emulator,
    connection: str,
) -> None:
    """The worker finds out how long the job will take, and the trigger goes by it."""
    job = cortex_emulator.jobs.add(model="m", life=Life.by_time(3600))
    wait = sensor(job.id, deferrable=True, poke_interval=None, expected_duration=expected)
    with pytest.raises(TaskDeferred) as deferred:
        wait.execute(context(wait, earlier=earlier))
    arguments = deferred.value.trigger.serialize()[1]
    assert (arguments["poke_interval"], arguments["expected_duration"]) == (None, found)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"max_poke_interval": 30}, "max_poke_interval must be at least 60 s, and is 30"),
        ({"max_poke_interval": float("nan")}, "max_poke_interval"),
        ({"max_poke_interval": float("inf")}, "max_poke_interval"),
        ({"expected_duration": 0}, "expected_duration must be seconds, more than 0"),
        ({"expected_duration": float("inf")}, "expected_duration"),
        ({"expected_duration": "last"}, "and is 'last'"),
        ({"max_training_loss": -1}, "max_training_loss must be a number, at least 0"),
        ({"max_validation_loss": float("nan")}, "max_validation_loss must be a number"),
        ({"max_trained_tokens": "many"}, "max_trained_tokens must be a number.*; got 'many'"),
        ({"poke_interval": float("nan")}, "poke_interval must be seconds"),
        ({"poke_interval": True}, "poke_interval must be seconds"),
        ({"timeout": float("inf")}, "timeout must be seconds"),
        ({"contact_timeout": -1}, "contact_timeout must be seconds, at least 0"),
        ({"stall_timeout": 0}, "stall_timeout must be seconds, more than 0"),
        ({"stall_timeout": float("nan")}, "stall_timeout"),
        ({"stall_timeout": float("inf")}, "stall_timeout"),
        ({"gate": "warn"}, "gate must be one of fail, skip, and is 'warn'"),
    ],
)
def test_arguments_of_no_use(arguments: dict[str, Any], told: str) -> None:
    """What cannot be meant is refused by name when the DAG file is parsed."""
    with pytest.raises(ValueError, match=told):
        sensor(**arguments)


def test_the_least_maximum() -> None:
    """A minute is the least that max_poke_interval may be."""
    assert sensor(max_poke_interval=60).max_poke_interval == 60


@pytest.mark.parametrize("mode", MODES)
def test_progress_in_the_log(
    mode: str,
    cortex_emulator: Emulator,
    connection: str,
    worker: Worker,
    log_lines: Callable[[], list[str]],
) -> None:
    """The task's log tells each change while it waits, and at the end what was made."""
    job = cortex_emulator.jobs.add(model="DB.S.m", life=Life.by_looks(3))

    worker.run(lambda: sensor(job.id, **in_mode(mode)))

    lines = [line for line in log_lines() if job.id[:7] in line]
    shown = [line for line in lines if "next look" in line]
    assert len(shown) == 3
    assert "PENDING" in shown[0]
    assert re.search(
        r"IN_PROGRESS [█░]{20} \d+ %  \d+ s elapsed, about \d+ s left; next look in", shown[2]
    )
    assert [line for line in lines if f"{job.id} SUCCESS: model DB.S.m" in line]


@pytest.mark.parametrize("mode", MODES)
def test_a_job_that_does_not_say_when_it_began(
    mode: str,
    cortex_emulator: Emulator,
    connection: str,
    worker: Worker,
    log_lines: Callable[[], list[str]],
) -> None:
    """Where Cortex does not tell since when a job has run, the log tells how long the wait has."""
    job = cortex_emulator.jobs.add(model="m", life=Life.by_looks(3))
    cortex_emulator.faults.add("record", remove=["created_on"])
    assert worker.run(lambda: sensor(job.id, **in_mode(mode))).state == "success"
    shown = [line for line in log_lines() if "next look" in line]
    assert len(shown) == 3
    assert all("s elapsed" in line for line in shown)


def test_an_unknown_status_is_warned_of_once(
    cortex_emulator: Emulator,
    connection: str,
    worker: Worker,
    log_lines: Callable[[], list[str]],
) -> None:
    """One wait warns once of a status that it does not know."""
    job = cortex_emulator.jobs.add(model="m")
    answer = json.dumps({"id": job.id, "status": "PAUSED"})
    cortex_emulator.jobs.answer(job.id, answer, looks=4)
    worker.run(lambda: sensor(job.id, deferrable=False))
    assert len([line for line in log_lines() if "'PAUSED', which this version" in line]) == 1


def test_one_session_for_a_whole_wait(
    cortex_emulator: Emulator, connection: str, worker: Worker
) -> None:
    """A poking sensor logs in once, and not at every look."""
    job = cortex_emulator.jobs.add(model="m", life=Life.by_looks(5))
    worker.run(lambda: sensor(job.id, deferrable=False))
    assert cortex_emulator.logins == 1


def test_session_that_ended_is_replaced(
    cortex_emulator: Emulator, connection: str, worker: Worker
) -> None:
    """A session that Snowflake ended is trouble that passes: a later look has a new one."""
    job = cortex_emulator.jobs.add(model="m")
    cortex_emulator.jobs.stall(job.id)

    def expire() -> None:
        wait_until(lambda: cortex_emulator.statements)
        cortex_emulator.faults.add("expire")
        wait_until(lambda: cortex_emulator.logins == 2)
        cortex_emulator.jobs.resume(job.id)

    expiring = threading.Thread(target=expire)
    expiring.start()
    result = worker.run(lambda: sensor(job.id, deferrable=False))
    expiring.join()

    assert result.state == "success", result
    assert cortex_emulator.logins == 2


@pytest.mark.parametrize("mode", MODES)
def test_query_tag(mode: str, cortex_emulator: Emulator, connection: str, worker: Worker) -> None:
    """Snowflake's query history tells which task asked; or, where many share a statement, the package."""
    job = cortex_emulator.jobs.add(model="m", life=Life.by_looks(2))
    worker.run(lambda: sensor(job.id, **in_mode(mode)))
    tags = [json.loads(statement.query_tag or "") for statement in cortex_emulator.statements]
    assert {tag["package"] for tag in tags} == {"airflow-provider-cortex"}
    by_a_worker = tags[:1] if mode == "deferrable" else tags
    assert {tag["task_id"] for tag in by_a_worker} == {"wait"}


def test_own_query_tag(cortex_emulator: Emulator, connection: str, worker: Worker) -> None:
    """A query tag among the session parameters is the user's word, and stays."""
    job = cortex_emulator.jobs.add(model="m")
    worker.run(lambda: sensor(job.id, session_parameters={"QUERY_TAG": "mine"}))
    tags = {s.query_tag for s in cortex_emulator.statements if "DESCRIBE" in s.sql}
    assert tags == {"mine"}


@pytest.mark.parametrize(
    ("cancel_on_kill", "status"), [(False, "IN_PROGRESS"), (True, "CANCELLED")]
)
def test_kill_on_a_worker(
    cancel_on_kill: bool, status: str, cortex_emulator: Emulator, connection: str
) -> None:
    """A killed sensor leaves the job alone, unless it was told to cancel it."""
    job = cortex_emulator.jobs.add(model="m")
    cortex_emulator.jobs.stall(job.id)
    sensor(job.id, cancel_on_kill=cancel_on_kill).on_kill()
    assert json.loads(cortex_emulator.jobs.describe(job.id) or "")["status"] == status


def test_a_kill_cancels_nothing_unasked(cortex_emulator: Emulator, connection: str) -> None:
    """A sensor that was told nothing of it leaves the job alone, killed on a worker or deferred."""
    job = cortex_emulator.jobs.add(model="m", life=Life.by_time(3600))
    wait = sensor(job.id, deferrable=True)
    wait.on_kill()
    with pytest.raises(TaskDeferred) as deferred:
        wait.execute(context(wait))
    assert deferred.value.trigger.serialize()[1]["cancel_on_kill"] is False
    assert json.loads(cortex_emulator.jobs.describe(job.id) or "")["status"] == "PENDING"


def test_the_reason_for_skipping(
    cortex_emulator: Emulator, connection: str, worker: Worker
) -> None:
    """A task that is skipped for a cancelled job says so itself: Airflow logs nothing more of a skip."""
    job = cortex_emulator.jobs.add(model="m")
    cortex_emulator.jobs.cancel(job.id)
    result = worker.run(lambda: sensor(job.id, skip_on_cancelled=True))
    assert result.state == "skipped"
    assert f"{job.id} was cancelled" in str(result.error)


def test_kill_that_cannot_cancel(
    cortex_emulator: Emulator, connection: str, log_lines: Callable[[], list[str]]
) -> None:
    """A kill ends the task, even where Snowflake is out of reach to cancel the job; the log says so."""
    cortex_emulator.stop()
    sensor("ft_1", cancel_on_kill=True).on_kill()
    assert [line for line in log_lines() if "ft_1 may run on" in line]


def test_last_look_is_at_the_deadline(
    cortex_emulator: Emulator, connection: str, worker: Worker
) -> None:
    """A poking sensor times out when it said, however long the interval."""
    job = cortex_emulator.jobs.add(model="m")
    cortex_emulator.jobs.stall(job.id)
    began = time.monotonic()
    result = worker.run(lambda: sensor(job.id, deferrable=False, timeout=1, poke_interval=3600))
    assert result.state == "failed"
    assert time.monotonic() - began < 60


@pytest.mark.parametrize(("timeout", "state"), [(60, "success"), (0, "failed")])
def test_time_that_is_up_at_the_end(
    timeout: int,
    state: str,
    time_is_up_at_the_end: None,
    cortex_emulator: Emulator,
    worker: Worker,
) -> None:
    """The outcome of a wait stands, even if execution_timeout passes before the session is closed."""
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
    """A deferred wait leaves half a minute of its execution_timeout for last words, or a tenth of it."""
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


@pytest.mark.parametrize(
    ("flags", "state"),
    [({}, "failed"), ({"soft_fail": True}, "skipped"), ({"never_fail": True}, "skipped")],
)
def test_a_clock_that_is_ahead(
    flags: dict[str, bool],
    state: str,
    cortex_emulator: Emulator,
    connection: str,
    worker: Worker,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A timeout by Airflow's own clock ends a wait like any other, and tells of the job."""
    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() - 3600)  # which is not that of Airflow's loop
    job = cortex_emulator.jobs.add(model="m", life=Life.by_time(7200))
    result = worker.run(lambda: sensor(job.id, deferrable=False, timeout=0.1, **flags))
    assert result.state == state
    assert f"Stopped waiting for fine-tuning job {job.id} after 0 s" in str(result.error)
    assert "Last known state: PENDING" in str(result.error)


def test_time_that_is_up_before_the_first_look(
    worker: Worker, connection: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wait that execution_timeout ends before it has seen anything says so, and how long it was."""
    monkeypatch.setattr(Instance, "xcom_pull", lambda *_, **__: time.sleep(60))  # a slow database
    result = worker.run(
        lambda: CortexFineTuneSensor(
            task_id="wait",
            finetune_job_id="ft_1",
            deferrable=False,
            expected_duration="previous",
            execution_timeout=timedelta(seconds=1),
        )
    )
    assert result.state == "up_for_retry"
    assert re.search(r"after \d\d? s\. Last known state: never seen\.", str(result.error))


def test_trigger_holds_no_secret(
    cortex_emulator: Emulator, connection: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is written into Airflow's database names the connection, and tells nothing of it."""
    settings = json.loads(cortex_emulator.airflow_connection)
    settings |= {"login": "s3cret-user", "password": "s3cret-word"}
    monkeypatch.setenv("AIRFLOW_CONN_SNOWFLAKE_DEFAULT", json.dumps(settings))
    job = cortex_emulator.jobs.add(model="m", life=Life.by_looks(2))
    wait = sensor(job.id, deferrable=True, role="R")

    with pytest.raises(TaskDeferred) as deferred:
        wait.execute(context(wait))

    stored = json.dumps(deferred.value.trigger.serialize())
    assert "snowflake_default" in stored
    assert "s3cret" not in stored
    assert str(cortex_emulator.port) not in stored


def test_deferral_carries_the_moments(cortex_emulator: Emulator, connection: str) -> None:
    """Trigger and deferral end at moments, counted from the task's start and not from the deferral."""
    job = cortex_emulator.jobs.add(model="m", life=Life.by_looks(2))
    wait = sensor(job.id, deferrable=True, timeout=7200)
    began = datetime.now(tz=UTC) - timedelta(hours=1)

    with pytest.raises(TaskDeferred) as deferred:
        wait.execute(context(wait, start_date=began))

    trigger: Any = deferred.value.trigger
    assert trigger.deadline == began.timestamp() + 7200
    assert timedelta(minutes=60) < (deferred.value.timeout or timedelta()) < timedelta(minutes=62)


def test_deferral_carries_what_was_asked_for(cortex_emulator: Emulator, connection: str) -> None:
    """What the sensor was told about waiting, the trigger is told; and the wait's beginning comes back."""
    job = cortex_emulator.jobs.add(model="m", life=Life.by_looks(2))
    wait = sensor(
        job.id,
        deferrable=True,
        timeout=7200,
        poke_interval=None,
        max_poke_interval=90,
        contact_timeout=70,
        cancel_on_kill=True,
        role="TRAINER",
    )
    began = datetime.now(tz=UTC) - timedelta(hours=1)
    with pytest.raises(TaskDeferred) as deferred:
        wait.execute(context(wait, start_date=began))
    told = deferred.value.trigger.serialize()[1]
    assert told["finetune_job_id"] == job.id
    assert (told["poke_interval"], told["max_poke_interval"]) == (None, 90)
    assert (told["contact_timeout"], told["cancel_on_kill"]) == (70, True)
    assert told["session"]["role"] == "TRAINER"
    assert "airflow-provider-cortex" in told["session"]["query_tag"]
    assert "weekly" in told["session"]["query_tag"]
    assert told["started_at"] == began.timestamp()
    assert deferred.value.kwargs == {"started_at": began.timestamp()}


@pytest.mark.parametrize(
    ("error", "verdict", "arguments"),
    [
        (FineTuneFailedError("ft_1", "X", "no rows"), AirflowFailException, {}),
        (FineTuneCancelledError("ft_1"), AirflowFailException, {}),
        (FineTuneCancelledError("ft_1"), AirflowSkipException, {"skip_on_cancelled": True}),
        (FineTuneFailedError("ft_1", "X", "y"), AirflowFailException, {"skip_on_cancelled": True}),
        (FineTuneTimeoutError("ft_1", 9, "PENDING"), AirflowSensorTimeout, {}),
        (
            FineTuneTimeoutError("ft_1", 9, "PENDING"),
            AirflowTaskTimeout,
            {"execution_timeout": timedelta(seconds=9), "deferrable": True},
        ),
        (
            FineTuneTimeoutError("ft_1", 9, "PENDING"),
            AirflowSensorTimeout,
            {"execution_timeout": timedelta(seconds=90), "deferrable": True},
        ),
        (
            FineTuneTimeoutError("ft_1", 9, "PENDING"),
            AirflowSensorTimeout,
            {"execution_timeout": timedelta(seconds=9), "deferrable": False},
        ),
        (FineTuneStalledError("ft_1", 9, "noon", "PENDING"), AirflowSensorTimeout, {}),
        (
            FineTuneStalledError("ft_1", 9, "noon", "PENDING"),
            AirflowSensorTimeout,
            {"execution_timeout": timedelta(seconds=9), "deferrable": True},
        ),
        (GateError("ft_1", "m", {}, ""), AirflowFailException, {"skip_on_cancelled": True}),
        (GateError("ft_1", "m", {}, ""), AirflowSkipException, {"gate": "skip"}),
        (FineTuneFailedError("ft_1", "X", "y"), AirflowFailException, {"gate": "skip"}),
        (RejectedError("ft_1 is unknown"), AirflowFailException, {}),
        (ContactLostError("ft_1", 900, "503", "PENDING"), ContactLostError, {}),
        (MissingModelError("ft_1", "{}"), MissingModelError, {}),
        (TriggerEventError("ft_1", None), TriggerEventError, {}),
        (ConnectionNotFoundError("ft_1"), ConnectionNotFoundError, {}),
    ],
)
def test_verdicts(error: CortexError, verdict: type, arguments: dict[str, Any]) -> None:
    """Each row of the table of outcomes: what it means to Airflow, in the words of what happened."""
    found = sensor(**arguments).verdict(error)
    assert type(found) is verdict
    assert str(found) == str(error)


def test_timeout_of_a_rescheduled_sensor(
    cortex_emulator: Emulator, connection: str, worker: Worker
) -> None:
    """A rescheduled sensor's timeout counts from its first look, in whatever process that was."""
    job = cortex_emulator.jobs.add(model="m", life=Life.by_looks(2))
    wait = sensor(job.id, deferrable=False, mode="reschedule", timeout=3600, retries=2)
    first = datetime.now(tz=UTC) - timedelta(hours=2)
    with pytest.raises(AirflowSensorTimeout, match=r"after 72\d\d s"):
        wait.execute(context(wait, rescheduled_on=first, max_tries=2))


FOREIGN = [None, {}, {"status": "success", "model": "m"}, {"kind": "finished", "version": 9}]


@pytest.mark.parametrize("event", FOREIGN, ids=repr)
@pytest.mark.parametrize(
    ("flags", "state"),
    [
        ({}, "up_for_retry"),
        ({"soft_fail": True}, "up_for_retry"),
        ({"never_fail": True}, "skipped"),
    ],
)
def test_foreign_event(
    event: object,
    flags: dict[str, bool],
    state: str,
    cortex_emulator: Emulator,
    connection: str,
    worker: Worker,
) -> None:
    """An event that nobody here wrote fails the task, to be retried: it is never a success."""
    job = cortex_emulator.jobs.add(model="m", life=Life.by_looks(1))
    worker.event = lambda _: event
    result = worker.run(lambda: sensor(job.id, deferrable=True, **flags))
    assert result.state == state, result
    assert "return_value" not in result.xcoms


def resume_after(reason: str, wait: CortexFineTuneSensor, **instance: Any) -> object:
    """Resume a task as Airflow does when its trigger is no more, for *reason*."""
    arguments = {"error": reason, "traceback": ["Traceback\n", "RuntimeError: bug\n"]}
    return wait.resume_execution("__fail__", arguments, context(wait, **instance))


def test_trigger_that_broke(cortex_emulator: Emulator, connection: str) -> None:
    """A trigger that crashed fails the task with what it crashed of; a retry looks again."""
    job = cortex_emulator.jobs.add(model="m")
    wait = sensor(job.id, deferrable=True)
    with pytest.raises(TriggerCrashedError, match=rf"{job.id}.*Trigger failure"):
        resume_after("Trigger failure", wait)
    with pytest.raises(AirflowSkipException):
        resume_after("Trigger failure", sensor(job.id, deferrable=True, never_fail=True))


@pytest.mark.parametrize("reason", ["Trigger timeout", "Trigger/execution timeout"])
@pytest.mark.parametrize("state", ["SUCCESS", "IN_PROGRESS"])
def test_no_triggerer(state: str, reason: str, cortex_emulator: Emulator, connection: str) -> None:
    """If Airflow ends the wait because no triggerer did, the worker looks once more, and tells the truth."""
    job = cortex_emulator.jobs.add(model="m")
    if state == "IN_PROGRESS":
        cortex_emulator.jobs.stall(job.id)
    wait = sensor(job.id, deferrable=True, timeout=60)
    if state == "SUCCESS":
        assert resume_after(reason, wait) == job.model
    else:
        with pytest.raises(AirflowSensorTimeout, match="may still be running"):
            resume_after(reason, wait)


def test_silent_fail(cortex_emulator: Emulator, connection: str, worker: Worker) -> None:
    """silent_fail rides out what would be retried, in the triggerer as on a worker."""
    for mode in MODES:
        job = cortex_emulator.jobs.add(model="m", life=Life.by_looks(1))
        cortex_emulator.jobs.answer(job.id, "<html>", looks=3)
        result = worker.run(
            lambda: sensor(job.id, silent_fail=True, contact_timeout=0.01, **in_mode(mode))  # noqa: B023 - called at once
        )
        assert result.state == "success", (mode, result)


@pytest.mark.parametrize(("given", "seconds"), [(60, 60.0), (timedelta(minutes=2), 120.0)])
def test_contact_timeout(given: float | timedelta, seconds: float) -> None:
    """Durations are seconds or a timedelta, as everywhere in Airflow."""
    assert sensor(contact_timeout=given).contact_timeout == seconds
