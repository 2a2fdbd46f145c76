"""Faults of DESCRIBE, and of the account's clock."""

import json
import math

import pytest
from snowflake.connector.errors import ProgrammingError

from airflow_provider_cortex.emulator import Emulator, Life
from tests.clock import Clock


@pytest.fixture
def jobs(cortex_emulator):
    """Add three finished jobs."""
    return [cortex_emulator.jobs.add(model=f"D.S.m{n}") for n in range(3)]


@pytest.fixture
def job_id(jobs):
    """Return the id of the second job."""
    return jobs[1].id


@pytest.fixture
def describe_second(connect, jobs):
    """Describe all three jobs in one statement, and return what it returns for the second."""
    calls = [f"SNOWFLAKE.CORTEX.FINETUNE('DESCRIBE', '{job.id}')" for job in jobs]
    session = connect()

    def describe_second():
        ((first, second, third),) = session.cursor().execute(f"SELECT {', '.join(calls)}")
        assert json.loads(first)["id"] == jobs[0].id
        assert json.loads(third)["id"] == jobs[2].id
        return second

    return describe_second


def test_one_describe_can_be_null(cortex_emulator, describe_second, job_id):
    """Others in the same statement are not affected."""
    cortex_emulator.faults.add("null", job_id=job_id, requests=1)
    assert describe_second() is None
    assert json.loads(describe_second())["status"] == "SUCCESS"


def test_one_describe_can_have_the_id_of_another_job(cortex_emulator, describe_second, job_id):
    """The rest of the record is unchanged."""
    whole = json.loads(describe_second())
    cortex_emulator.faults.add("other-job", job_id=job_id, id="ft_x")
    assert json.loads(describe_second()) == whole | {"id": "ft_x"}


def test_one_describe_can_return_any_text(cortex_emulator, describe_second, job_id):
    """By default a text that is not JSON."""
    cortex_emulator.faults.add("unreadable", job_id=job_id, requests=1)
    cortex_emulator.faults.add("unreadable", job_id=job_id, text='["a list"]')
    assert describe_second() == "Not JSON."
    assert describe_second() == '["a list"]'


def test_fields_of_a_record_can_be_set_and_removed(cortex_emulator, describe_second, job_id):
    """A finished job may seem to run again, and its progress may be NaN or negative."""
    add = cortex_emulator.faults.add
    add("record", job_id=job_id, set={"status": "in_progress", "progress": 0.7}, requests=1)
    add("record", job_id=job_id, set={"progress": math.nan}, remove=["model"], requests=1)
    add("record", job_id=job_id, set={"progress": -0.2}, requests=1)
    seen = json.loads(describe_second())
    assert (seen["status"], seen["progress"]) == ("in_progress", 0.7)
    without_number = describe_second()
    assert '"progress": NaN' in without_number
    assert "model" not in json.loads(without_number)
    assert json.loads(describe_second())["progress"] == -0.2
    assert json.loads(describe_second())["progress"] == 1


def test_a_text_that_is_no_record_is_not_changed(cortex_emulator, describe_second, job_id):
    """A job whose DESCRIBE returns another text has no fields to change."""
    cortex_emulator.jobs.answer(job_id, "any text")
    cortex_emulator.faults.add("record", job_id=job_id, set={"progress": 2})
    assert describe_second() == "any text"


def test_a_job_can_vanish(cortex_emulator, describe_second, job_id):
    """Its statement fails like that of a job that never existed."""
    cortex_emulator.faults.add("vanish", job_id=job_id, requests=1)
    with pytest.raises(ProgrammingError, match=f"{job_id}' does not exist") as caught:
        describe_second()
    assert caught.value.errno == 2003
    assert json.loads(describe_second())["id"] == job_id


def test_a_job_can_fail_each_statement_that_describes_it(cortex_emulator, describe_second, job_id):
    """Other statements are not affected."""
    cortex_emulator.faults.add("error", job_id=job_id, message="Poison.", requests=1)
    cortex_emulator.faults.add("error", job_id="ft_else")
    with pytest.raises(ProgrammingError, match="Poison"):
        describe_second()
    assert describe_second()


def test_the_clock_can_be_wrong(connect):
    """Until the fault ends."""
    clock = Clock(1_000_000)
    with Emulator(tls=False, clock=clock.time, life=Life.by_time(60)) as emulator:
        emulator.faults.add("clock", jump=-7200, seconds=10)
        early = emulator.jobs.add(model="D.S.early")
        clock.now += 10
        late = emulator.jobs.add(model="D.S.late")
        assert (early.created_on, late.created_on) == (992_800_000, 1_000_010_000)
        assert [state.status for _, state in emulator.jobs.all()] == ["SUCCESS", "PENDING"]
        emulator.faults.add("clock")
        assert [state.status for _, state in emulator.jobs.all()] == ["SUCCESS", "SUCCESS"]
