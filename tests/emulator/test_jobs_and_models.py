"""How jobs progress, and how a test controls them."""

import json

import pytest

from airflow_provider_cortex.emulator import Life
from airflow_provider_cortex.emulator.jobs_and_models import JobRegistry
from airflow_provider_cortex.emulator.sql_errors import SqlError
from tests.clock import Clock


@pytest.fixture
def clock():
    """Stand still until a test moves it."""
    return Clock(1_700_000_000.0)


@pytest.fixture
def jobs(clock):
    """Hold the jobs of an account without SQL and HTTP."""
    return JobRegistry(clock=clock.time, life=Life.at_once())


def seen(jobs, job):
    """Describe *job*, and return its status and progress."""
    described = json.loads(jobs.describe(job.id))
    return described["status"], described["progress"]


def test_a_job_by_time_progresses_without_polls(jobs, clock):
    """It is PENDING for a tenth of its time, then progresses in steps, and ends on time."""
    job = jobs.add(model="D.S.m", life=Life.by_time(100))
    polled, start = [], clock.now
    for second in (0, 9, 10, 52, 54.9, 99, 100, 1000):
        clock.now = start + second
        polled.append(seen(jobs, job))
    assert polled == [
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


def test_a_job_by_time_finishes_on_time(jobs, clock):
    """However late the first poll is."""
    job = jobs.add(model="D.S.m", life=Life.by_time(100))
    clock.now += 1000
    described = json.loads(jobs.describe(job.id))
    assert described["finished_on"] - described["created_on"] == 100_000


@pytest.mark.parametrize("life", [Life.at_once(), Life.by_looks(1)])
def test_any_other_job_finishes_at_a_poll(jobs, clock, life):
    """That poll is when the job finished, and later ones do not change it."""
    job = jobs.add(model="D.S.m", life=life)
    for _ in range(life.looks):
        jobs.describe(job.id)
    polled = []
    for _ in range(2):
        clock.now += 60
        polled.append(json.loads(jobs.describe(job.id))["finished_on"] - job.created_on)
    assert polled == [60_000, 60_000]


def test_listing_jobs_does_not_count_as_a_poll(jobs):
    """SHOW does not advance a job."""
    job = jobs.add(model="D.S.m", life=Life.by_looks(1))
    for _ in range(5):
        jobs.all()
    assert seen(jobs, job) == ("PENDING", 0.0)
    assert seen(jobs, job) == ("SUCCESS", 1.0)


@pytest.mark.parametrize("life", [Life.at_once(), Life.by_looks(5), Life.by_time(60)])
def test_a_job_can_be_failed(jobs, life):
    """The next poll reports it, however long the job should have taken."""
    job = jobs.add(model="D.S.m", life=life)
    jobs.fail(job.id, code="OUT_OF_LUCK", message="It's gone.")
    described = json.loads(jobs.describe(job.id))
    assert described["status"] == "ERROR"
    assert described["error"] == {"code": "OUT_OF_LUCK", "message": "It's gone."}


def test_a_job_can_be_cancelled(jobs):
    """As by CANCEL in another session."""
    job = jobs.add(model="D.S.m", life=Life.by_looks(2))
    jobs.cancel(job.id)
    assert seen(jobs, job)[0] == "CANCELLED"


def test_a_stalled_job_stays_in_progress_until_resumed(jobs):
    """Then it continues as if it had not stalled."""
    job = jobs.add(model="D.S.m", life=Life.by_looks(2))
    jobs.stall(job.id, progress=0.4)
    assert {seen(jobs, job) for _ in range(9)} == {("IN_PROGRESS", 0.4)}
    jobs.resume(job.id)
    assert seen(jobs, job) == ("SUCCESS", 1.0)


def test_a_stalled_job_can_be_cancelled(jobs):
    """The progress stays what it was."""
    job = jobs.add(model="D.S.m")
    jobs.stall(job.id, progress=0.4)
    jobs.cancel(job.id)
    assert seen(jobs, job) == ("CANCELLED", 0.4)


def test_describing_a_crashing_job_is_an_internal_error(jobs):
    """Until the job is resumed."""
    job = jobs.add(model="D.S.m")
    jobs.crash(job.id)
    with pytest.raises(SqlError) as error:
        jobs.describe(job.id)
    assert (error.value.errno, error.value.sqlstate) == (603, "XX000")
    jobs.resume(job.id)
    assert seen(jobs, job) == ("SUCCESS", 1.0)


@pytest.mark.parametrize("text", ["not JSON", '{"status": "PAUSED"}', "", None])
def test_describe_can_return_any_text(jobs, text):
    """The text is not checked, so tests can return what Snowflake may return in future."""
    job = jobs.add(model="D.S.m")
    jobs.answer(job.id, text)
    assert [jobs.describe(job.id) for _ in range(3)] == [text] * 3


def test_describe_can_return_a_text_for_some_polls_only(jobs):
    """After those, it returns the record again."""
    job = jobs.add(model="D.S.m")
    jobs.answer(job.id, "nonsense", looks=2)
    assert [jobs.describe(job.id) for _ in range(2)] == ["nonsense", "nonsense"]
    assert seen(jobs, job)[0] == "SUCCESS"


def test_a_job_stays_pending_until_its_data_is_read(jobs):
    """It cannot succeed without data."""
    job = jobs.create(
        model="D.S.m",
        base_model="mistral-7b",
        namespace=jobs.add(model="x").namespace,
        training_data="",
    )
    assert seen(jobs, job)[0] == "PENDING"
    assert jobs.take_unread() == [job]
    assert jobs.take_unread() == []


def test_an_unknown_job_is_a_sql_error(jobs):
    """In Python as well, so that there is one kind of error."""
    with pytest.raises(SqlError, match="ft_0"):
        jobs.fail("ft_0")
