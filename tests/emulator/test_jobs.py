"""A job's life, and what can be done to it from outside."""

import json

import pytest

from airflow_provider_cortex.emulator.errors import SqlError
from airflow_provider_cortex.emulator.jobs import Jobs
from airflow_provider_cortex.emulator.life import Life


class Clock:
    """Stands still until it is moved."""

    now = 1_700_000_000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def jobs(clock):
    return Jobs(clock=clock, life=Life.at_once())


def seen(jobs, job):
    described = json.loads(jobs.describe(job.id))
    return described["status"], described["progress"]


def test_a_life_by_time_goes_on_without_looks(jobs, clock):
    """PENDING for a tenth of its time, then progress in steps, over when it is said to be."""
    job = jobs.add(model="D.S.m", life=Life.by_time(100))
    told = []
    for second in (0, 9, 10, 52, 54.9, 99, 100, 1000):
        clock.now = Clock.now + second
        told.append(seen(jobs, job))
    assert told == [
        ("PENDING", 0.0),
        ("PENDING", 0.0),
        ("IN_PROGRESS", 0.1),
        ("IN_PROGRESS", 0.5),
        ("IN_PROGRESS", 0.5),
        ("IN_PROGRESS", 0.95),
        ("SUCCESS", 1.0),
        ("SUCCESS", 1.0),
    ]
    described = json.loads(jobs.describe(job.id))
    assert described["finished_on"] - described["created_on"] == 100_000


def test_a_life_by_time_ends_when_it_is_said_to(jobs, clock):
    """However late somebody looks for the first time."""
    job = jobs.add(model="D.S.m", life=Life.by_time(100))
    clock.now += 1000
    described = json.loads(jobs.describe(job.id))
    assert described["finished_on"] - described["created_on"] == 100_000


@pytest.mark.parametrize("life", [Life.at_once(), Life.by_looks(1)])
def test_any_other_life_ends_at_the_look(jobs, clock, life):
    """That look is when the job finished, and later ones do not change that."""
    job = jobs.add(model="D.S.m", life=life)
    for _ in range(life.looks):
        jobs.describe(job.id)
    told = []
    for _ in range(2):
        clock.now += 60
        told.append(json.loads(jobs.describe(job.id))["finished_on"] - job.created_on)
    assert told == [60_000, 60_000]


def test_listing_jobs_is_no_look(jobs):
    """SHOW does not bring a job's end nearer."""
    job = jobs.add(model="D.S.m", life=Life.by_looks(1))
    for _ in range(5):
        jobs.all()
    assert seen(jobs, job) == ("PENDING", 0.0)
    assert seen(jobs, job) == ("SUCCESS", 1.0)


@pytest.mark.parametrize("life", [Life.at_once(), Life.by_looks(5), Life.by_time(60)])
def test_a_job_can_be_told_to_fail(jobs, life):
    """The failure is there at the next look, whatever the job's life was to be."""
    job = jobs.add(model="D.S.m", life=life)
    jobs.fail(job.id, code="OUT_OF_LUCK", message="It's gone.")
    described = json.loads(jobs.describe(job.id))
    assert described["status"] == "ERROR"
    assert described["error"] == {"code": "OUT_OF_LUCK", "message": "It's gone."}


def test_a_job_can_be_cancelled_from_outside(jobs):
    """As if somebody had called CANCEL in another session."""
    job = jobs.add(model="D.S.m", life=Life.by_looks(2))
    jobs.cancel(job.id)
    assert seen(jobs, job)[0] == "CANCELLED"


def test_a_stalled_job_waits_to_be_resumed(jobs):
    """It stays where it is for any number of looks, then takes up its life again."""
    job = jobs.add(model="D.S.m", life=Life.by_looks(2))
    jobs.stall(job.id, progress=0.4)
    assert {seen(jobs, job) for _ in range(9)} == {("IN_PROGRESS", 0.4)}
    jobs.resume(job.id)
    assert seen(jobs, job) == ("SUCCESS", 1.0)


def test_a_stalled_job_can_be_ended(jobs):
    """Failing and cancelling go before stalling, and the progress stays what it was."""
    job = jobs.add(model="D.S.m")
    jobs.stall(job.id, progress=0.4)
    jobs.cancel(job.id)
    assert seen(jobs, job) == ("CANCELLED", 0.4)


def test_a_job_that_crashes_its_statements(jobs):
    """Describing it is an internal error of Snowflake's, until it is resumed."""
    job = jobs.add(model="D.S.m")
    jobs.crash(job.id)
    with pytest.raises(SqlError) as error:
        jobs.describe(job.id)
    assert (error.value.errno, error.value.sqlstate) == (603, "XX000")
    jobs.resume(job.id)
    assert seen(jobs, job) == ("SUCCESS", 1.0)


@pytest.mark.parametrize("text", ["not JSON", '{"status": "PAUSED"}', "", None])
def test_an_answer_can_be_put_into_its_mouth(jobs, text):
    """DESCRIBE answers it as it is: for what Snowflake may say some day."""
    job = jobs.add(model="D.S.m")
    jobs.answer(job.id, text)
    assert [jobs.describe(job.id) for _ in range(3)] == [text] * 3


def test_an_answer_can_be_for_some_looks_only(jobs):
    """After those, the job speaks for itself again."""
    job = jobs.add(model="D.S.m")
    jobs.answer(job.id, "nonsense", looks=2)
    assert [jobs.describe(job.id) for _ in range(2)] == ["nonsense", "nonsense"]
    assert seen(jobs, job)[0] == "SUCCESS"


def test_an_unread_job_does_not_finish(jobs):
    """Success needs data, so a job whose data nobody has read stays PENDING."""
    job = jobs.create(
        model="D.S.m", base_model="mistral-7b", place=jobs.add(model="x").place, training_data=""
    )
    assert seen(jobs, job)[0] == "PENDING"
    assert jobs.unread() == [job]
    assert jobs.unread() == []


def test_an_unknown_job_is_an_sql_error(jobs):
    """Also where no SQL is involved, so that there is one kind of error."""
    with pytest.raises(SqlError, match="ft_0"):
        jobs.fail("ft_0")
