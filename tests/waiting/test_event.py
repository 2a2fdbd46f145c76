"""The trigger's event, from the triggerer to the worker."""

import json

import pytest

from airflow_provider_cortex.cortex.job import FineTuneJob
from airflow_provider_cortex.cortex.query_status import Execution
from airflow_provider_cortex.errors import (
    ContactLostError,
    CortexError,
    FineTuneStalledError,
    FineTuneTimeoutError,
    QueryLostError,
    QueryTimeoutError,
    RejectedError,
    TriggerEventError,
)
from airflow_provider_cortex.safe_text import excerpt
from airflow_provider_cortex.waiting import event

JOB = FineTuneJob.parse({"id": "ft_1", "status": "SUCCESS", "model": "m", "new": [1]})


def stored(payload: object) -> object:
    """Return a payload as Airflow's database keeps it."""
    return json.loads(json.dumps(payload, allow_nan=False))


def test_a_finished_job_arrives_with_all_its_fields() -> None:
    """Unknown ones, too."""
    job = event.read(stored(event.finished(JOB)), job_id="ft_1")
    assert job == JOB
    assert job.to_dict() == JOB.to_dict()


def test_the_query_id_arrives_with_the_job() -> None:
    """The worker links to the statement that found the job finished; old events have none."""
    job = FineTuneJob.parse(JOB.text, query_id="01b7")
    assert event.read(stored(event.finished(job)), job_id="ft_1").query_id == "01b7"
    assert event.read(stored(event.finished(JOB)), job_id="ft_1").query_id is None
    assert event.read({"kind": "finished", "job": JOB.text}, job_id="ft_1").query_id is None
    odd = {"kind": "finished", "job": JOB.text, "query_id": 7}
    assert event.read(odd, job_id="ft_1").query_id is None


def test_the_event_in_the_log_shows_no_training_data() -> None:
    """Airflow logs each event."""
    job = FineTuneJob.parse({"id": "ft_1", "status": "SUCCESS", "training_data": "SELECT secret"})
    assert "secret" not in repr(event.finished(job))


@pytest.mark.parametrize(
    "error",
    [
        FineTuneTimeoutError("ft_1", 3600.0, "IN_PROGRESS 40 %"),
        FineTuneTimeoutError("ft_1", 3600, "IN_PROGRESS 40 %"),
        FineTuneStalledError("ft_1", 3600.0, "2026-01-01T00:00:00+00:00", "PENDING"),
        FineTuneStalledError("ft_1", 3600, "2026-01-01T00:00:00+00:00", "PENDING"),
        ContactLostError("ft_1", 900.0, "503", "never seen"),
        RejectedError("unknown job"),
    ],
)
def test_an_error_arrives_as_it_was(error: CortexError) -> None:
    """The worker raises it with the same type and message."""
    with pytest.raises(type(error)) as raised:
        event.read(stored(event.stopped(error)), job_id="ft_1")
    assert str(raised.value) == str(error)


@pytest.mark.parametrize(
    "payload",
    [
        None,
        {},
        [],
        "success",
        {"status": "success"},
        {"kind": "finished"},
        {"kind": "finished", "job": {}},
        {"kind": "finished", "job": "not JSON"},
        {"kind": "finished", "job": '{"id": "ft_2", "status": "SUCCESS", "model": "m"}'},
        {"kind": "finished", "job": '{"id": "ft_1", "status": "IN_PROGRESS", "model": "m"}'},
        {"kind": "finished", "job": '{"id": "ft_1", "status": "PAUSED", "model": "m"}'},
        {"kind": "finished", "job": '{"id": "ft_1", "status": "PENDING"}', "query_id": "q"},
        {"kind": "finished", "job": '{"id": "ft_2", "status": "SUCCESS"}', "query_id": "q"},
        {"kind": "timeout"},
        {"kind": "timeout", "waited": "long", "last_seen": ""},
        {"kind": "stalled", "waited": 9, "since": 9, "last_seen": ""},
        {"kind": "stalled", "waited": "long", "since": "", "last_seen": ""},
        {"kind": "contact_lost", "waited": 9, "last_seen": ""},
        {"kind": "rejected"},
        {"kind": "rejected", "reason": None},
        {"kind": "query_timeout", "query_id": "q", "waited": 9},
        {"kind": ["timeout"]},
        {"kind": "done"},
        {"error": "Trigger failure"},
    ],
)
def test_an_unknown_event_is_an_error(payload: object) -> None:
    """It never counts as an outcome of the job, and the error shows it."""
    with pytest.raises(TriggerEventError) as error:
        event.read(payload, job_id="ft_1")
    assert error.value.job_id == "ft_1"
    assert error.value.event == excerpt(payload)


# --- Statements ----------------------------------------------------------------------------------


def test_a_finished_statement_arrives_as_it_was() -> None:
    """With its status and Snowflake's message."""
    failed = Execution(query_id="q", status="FAILED_WITH_ERROR", message="no")
    assert event.read_execution(stored(event.query_finished(failed))) == failed


@pytest.mark.parametrize(
    "error",
    [QueryTimeoutError("q", 3.0), QueryLostError("q", 3.0, "network"), RejectedError("no")],
)
def test_a_statements_error_arrives_as_it_was(error: CortexError) -> None:
    """The worker raises it with the same type and message."""
    with pytest.raises(type(error)) as raised:
        event.read_execution(stored(event.stopped(error)))
    assert str(raised.value) == str(error)


@pytest.mark.parametrize(
    "payload",
    [
        None,
        event.query_finished(Execution(query_id="q", status="RUNNING")),
        {"kind": "query_over", "query_id": "q", "status": "SUCCESS"},
        {"kind": "query_over", "query_id": None, "status": "SUCCESS", "message": None},
        {"kind": "query_timeout", "query_id": "q"},
        {"kind": "query_lost", "query_id": "q", "waited": 9, "reason": None},
        {"kind": "timeout", "waited": 9, "last_seen": ""},
    ],
)
def test_an_unknown_event_of_a_statement_is_an_error(payload: object) -> None:
    """A statement that still runs is no outcome either."""
    with pytest.raises(TriggerEventError) as caught:
        event.read_execution(stored(payload))
    assert caught.value.job_id is None
    assert caught.value.event == excerpt(stored(payload))
