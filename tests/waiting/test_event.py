"""The trigger's event, there and back."""

import json

import pytest

from airflow_provider_cortex.cortex.job import FineTuneJob
from airflow_provider_cortex.errors import (
    ContactLostError,
    CortexError,
    FineTuneStalledError,
    FineTuneTimeoutError,
    RejectedError,
    TriggerEventError,
    excerpt,
)
from airflow_provider_cortex.waiting import event

JOB = FineTuneJob.parse({"id": "ft_1", "status": "SUCCESS", "model": "m", "new": [1]})


def crossed(payload: object) -> object:
    """Take a payload through Airflow's database."""
    return json.loads(json.dumps(payload, allow_nan=False))


def test_finished_job() -> None:
    """A job that is over arrives whole."""
    job = event.read(crossed(event.finished(JOB)), job_id="ft_1")
    assert job == JOB
    assert job.to_dict() == JOB.to_dict()


def test_the_query_travels_with_the_job() -> None:
    """The worker knows which statement found the job over; an event of the first version says nothing of it."""
    job = FineTuneJob.parse(JOB.text, query_id="01b7")
    assert event.read(crossed(event.finished(job)), job_id="ft_1").query_id == "01b7"
    assert event.read(crossed(event.finished(JOB)), job_id="ft_1").query_id is None
    assert event.read({"kind": "finished", "job": JOB.text}, job_id="ft_1").query_id is None
    odd = {"kind": "finished", "job": JOB.text, "query_id": 7}
    assert event.read(odd, job_id="ft_1").query_id is None


def test_event_in_the_log() -> None:
    """Airflow logs the event: that line does not show what the job was trained on."""
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
def test_what_ended_the_wait(error: CortexError) -> None:
    """An error is raised on the worker as it was in the triggerer, in kind and in words."""
    with pytest.raises(type(error)) as raised:
        event.read(crossed(event.stopped(error)), job_id="ft_1")
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
        {"kind": "timeout", "waited": "long", "last_seen": ""},
        {"kind": "stalled", "waited": 9, "since": 9, "last_seen": ""},
        {"kind": "stalled", "waited": "long", "since": "", "last_seen": ""},
        {"kind": "done"},
        {"error": "Trigger failure"},
    ],
)
def test_foreign_event(payload: object) -> None:
    """What this package did not write, or not about this job, never passes for an outcome, and is shown."""
    with pytest.raises(TriggerEventError) as error:
        event.read(payload, job_id="ft_1")
    assert error.value.job_id == "ft_1"
    assert error.value.event == excerpt(payload)
