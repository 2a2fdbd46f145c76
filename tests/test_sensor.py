"""The sensor: its arguments, its XComs, and the session in which it polls."""

import copy
import json
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import DAG, AirflowFailException

from airflow_provider_cortex.emulator import Emulator, Life
from airflow_provider_cortex.operators import CortexFineTuneOperator
from airflow_provider_cortex.sensors import CortexFineTuneSensor
from tests.clock import wait_until
from tests.tasks import IN_EACH_MODE, sensor
from tests.worker import Instance, Worker, in_mode


def context(wait: CortexFineTuneSensor) -> Any:
    """Return the context in which Airflow would run the sensor."""
    return {"ti": Instance(wait)}


# --- XComs -------------------------------------------------------------------------------------


@IN_EACH_MODE
def test_the_xcoms_are_the_model_and_the_whole_record(
    mode: str, cortex_emulator: Emulator, connection: str, worker: Worker
) -> None:
    """The XComs are the model's name, and all that Cortex returned, in every mode."""
    job = cortex_emulator.jobs.add(model="DB.S.it's mine", life=Life.by_looks(1))
    record = {
        "id": job.id,
        "status": "SUCCESS",
        "model": "DB.S.it's mine_1",
        "cost": {"credits": 3},
    }
    cortex_emulator.jobs.answer(job.id, json.dumps(record))

    result = worker.run(lambda: sensor(job.id, **in_mode(mode)))

    assert result.xcoms == {
        "return_value": "DB.S.it's mine_1",
        "model": "DB.S.it's mine_1",
        "finetune_job": record,
        "finetune_job_id": job.id,
    }


@IN_EACH_MODE
def test_a_failed_job_leaves_its_record(
    mode: str, cortex_emulator: Emulator, connection: str, worker: Worker
) -> None:
    """A job that failed leaves its record, too, with Cortex's error."""
    job = cortex_emulator.jobs.add(model="m")
    cortex_emulator.jobs.fail(job.id, code="X", message="no rows")
    result = worker.run(lambda: sensor(job.id, **in_mode(mode)))
    assert result.xcoms["finetune_job"]["error"] == {"code": "X", "message": "no rows"}


def test_do_xcom_push_false_pushes_nothing(
    cortex_emulator: Emulator, connection: str, worker: Worker
) -> None:
    """With do_xcom_push=False only the return value is left, which Airflow then drops."""
    job = cortex_emulator.jobs.add(model="m")
    assert worker.run(lambda: sensor(job.id, do_xcom_push=False)).xcoms.keys() == {"return_value"}


def test_a_skipped_task_says_why(
    cortex_emulator: Emulator, connection: str, worker: Worker
) -> None:
    """A task that is skipped for a cancelled job says so: Airflow logs nothing else of a skip."""
    job = cortex_emulator.jobs.add(model="m")
    cortex_emulator.jobs.cancel(job.id)
    result = worker.run(lambda: sensor(job.id, skip_on_cancelled=True))
    assert result.state == "skipped"
    assert f"{job.id} was cancelled" in str(result.error)


# --- Arguments ---------------------------------------------------------------------------------


def test_white_space_around_the_id_is_ignored(
    cortex_emulator: Emulator, connection: str, worker: Worker
) -> None:
    """A line break that a template leaves is not part of the id."""
    job = cortex_emulator.jobs.add(model="m", life=Life.by_looks(1))
    assert worker.run(lambda: sensor(f"\n {job.id}\n", deferrable=True)).state == "success"


@pytest.mark.parametrize("deferrable", [True, False])
@pytest.mark.parametrize("value", ["", "   ", "None", None, True, b"ft_1"], ids=repr)
def test_an_id_that_renders_to_nothing_fails_before_any_sql(
    value: object, deferrable: bool, cortex_emulator: Emulator, connection: str
) -> None:
    """An id that renders to nothing fails before any SQL, and the error names its source."""
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


def test_the_job_and_the_session_may_be_templates() -> None:
    """The job, and everything about the session, can be templates."""
    names = ("warehouse", "database", "schema", "role", "authenticator", "snowflake_conn_id")
    wait = sensor("{{ job }}", **{name: f"{{{{ {name} }}}}" for name in names})
    wait.session_parameters = {"TIMEZONE": "{{ zone }}"}
    values: Any = {"job": "ft_1", "zone": "UTC"} | {name: name for name in names}
    wait.render_template_fields(values)
    assert wait.finetune_job_id == "ft_1"
    assert [getattr(wait, name) for name in names] == list(names)
    assert wait.session_parameters == {"TIMEZONE": "UTC"}


def test_a_deep_copy_works(cortex_emulator: Emulator, connection: str, worker: Worker) -> None:
    """A deep copy, such as Airflow makes of a part of a DAG, works as the sensor does."""
    job = cortex_emulator.jobs.add(model="m")
    assert worker.run(lambda: copy.deepcopy(sensor(job.id))).state == "success"


def test_default_args_of_the_dag_apply() -> None:
    """A DAG's default_args reach the arguments of connection, session and wait."""
    defaults = {"snowflake_conn_id": "sf", "role": "R", "poke_interval": 300, "deferrable": True}
    with DAG("d", schedule=None, default_args=defaults):
        wait = CortexFineTuneSensor(task_id="wait", finetune_job_id="ft_1")
    assert (wait.snowflake_conn_id, wait.role, wait.poke_interval) == ("sf", "R", 300)
    assert wait.deferrable
    assert not wait.adaptive


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"max_poke_interval": 30}, r"max_poke_interval must be at least 60 s; got 30\."),
        ({"max_poke_interval": float("nan")}, "max_poke_interval"),
        ({"max_poke_interval": float("inf")}, "max_poke_interval"),
        ({"expected_duration": 0}, "expected_duration must be seconds, more than 0"),
        ({"expected_duration": float("inf")}, "expected_duration"),
        ({"expected_duration": "last"}, "expected_duration must be .* or 'previous'; got 'last'"),
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
        ({"gate": "warn"}, "gate must be one of fail, skip; got 'warn'"),
    ],
)
def test_an_invalid_argument_is_rejected_when_the_dag_is_parsed(
    arguments: dict[str, Any], message: str
) -> None:
    """An invalid argument is rejected by its name when the DAG file is parsed."""
    with pytest.raises(ValueError, match=message):
        sensor(**arguments)


def test_max_poke_interval_may_be_a_minute() -> None:
    """A minute is the least that max_poke_interval may be."""
    assert sensor(max_poke_interval=60).max_poke_interval == 60


@pytest.mark.parametrize(("given", "seconds"), [(60, 60.0), (timedelta(minutes=2), 120.0)])
def test_a_duration_is_seconds_or_a_timedelta(given: float | timedelta, seconds: float) -> None:
    """Durations are seconds or a timedelta, as everywhere in Airflow."""
    assert sensor(contact_timeout=given).contact_timeout == seconds


# --- The session -------------------------------------------------------------------------------


def test_a_wait_logs_in_once(cortex_emulator: Emulator, connection: str, worker: Worker) -> None:
    """A poking sensor logs in once, and not at every poll."""
    job = cortex_emulator.jobs.add(model="m", life=Life.by_looks(5))
    worker.run(lambda: sensor(job.id, deferrable=False))
    assert cortex_emulator.logins == 1


def test_a_session_that_has_ended_is_replaced(
    cortex_emulator: Emulator, connection: str, worker: Worker
) -> None:
    """A session that Snowflake has ended is a transient error: a later poll has a new one."""
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


@IN_EACH_MODE
def test_the_query_tag_names_the_task(
    mode: str, cortex_emulator: Emulator, connection: str, worker: Worker
) -> None:
    """The query tag names the task; the package alone where many tasks share a statement."""
    job = cortex_emulator.jobs.add(model="m", life=Life.by_looks(2))
    worker.run(lambda: sensor(job.id, **in_mode(mode)))
    tags = [json.loads(statement.query_tag or "") for statement in cortex_emulator.statements]
    assert {tag["package"] for tag in tags} == {"airflow-provider-cortex"}
    of_workers = tags[:1] if mode == "deferrable" else tags
    assert {tag["task_id"] for tag in of_workers} == {"wait"}
    assert all(tag["run_id"].startswith("weekly_") and tag["dag_id"] for tag in of_workers)


def test_a_query_tag_among_the_session_parameters_wins(
    cortex_emulator: Emulator, connection: str, worker: Worker
) -> None:
    """A query tag among the session parameters replaces the one of this package."""
    job = cortex_emulator.jobs.add(model="m")
    worker.run(lambda: sensor(job.id, session_parameters={"QUERY_TAG": "mine"}))
    tags = {s.query_tag for s in cortex_emulator.statements if "DESCRIBE" in s.sql}
    assert tags == {"mine"}


# --- A killed task -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cancel_on_kill", "status"), [(False, "IN_PROGRESS"), (True, "CANCELLED")]
)
def test_a_killed_sensor_cancels_only_with_cancel_on_kill(
    cancel_on_kill: bool,
    status: str,
    cortex_emulator: Emulator,
    connection: str,
    log_lines: Callable[[], list[str]],
) -> None:
    """A killed sensor leaves the job alone unless cancel_on_kill is set, and the log says so."""
    job = cortex_emulator.jobs.add(model="m")
    cortex_emulator.jobs.stall(job.id)
    sensor(job.id, cancel_on_kill=cancel_on_kill).on_kill()
    assert json.loads(cortex_emulator.jobs.describe(job.id) or "")["status"] == status
    left_alone = f"{job.id} is still running: cancel_on_kill is off"
    assert any(left_alone in line for line in log_lines()) is not cancel_on_kill


def test_a_killed_sensor_that_cannot_cancel_logs_it(
    cortex_emulator: Emulator, connection: str, log_lines: Callable[[], list[str]]
) -> None:
    """A kill ends the task also when Snowflake cannot be reached to cancel, and the log says so."""
    cortex_emulator.stop()
    sensor("ft_1", cancel_on_kill=True).on_kill()
    assert [line for line in log_lines() if "ft_1 may still be running" in line]
