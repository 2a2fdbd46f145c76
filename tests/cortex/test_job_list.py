"""What is known of all the jobs of an account, look by look."""

from collections.abc import Collection
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_cortex.cortex.job import FineTuneJob, JobStatus
from airflow_provider_cortex.cortex.job_list import STATEMENTS, JobList, row

OVER = ("SUCCESS", "ERROR", "CANCELLED")


def job(job_id: str, status: str = "IN_PROGRESS", **fields: Any) -> FineTuneJob:
    """Return a job as Cortex tells it."""
    return FineTuneJob.parse({"id": job_id, "status": status} | fields)


def look(
    overview: JobList, jobs: dict[str, FineTuneJob], refused: Collection[str] = ()
) -> list[list[str]]:
    """
    Look once at jobs of which SHOW tells little, and return what DESCRIBE was asked for.

    :param refused: the jobs that are refused, with every statement that they are in.
    """
    overview.show([job(known.id, known.status.value) for known in jobs.values()])
    statements = overview.statements()
    for job_ids in statements:
        if set(job_ids) & set(refused):
            overview.refuse(job_ids)
            continue
        overview.answer(job_ids)
        for job_id in job_ids:
            overview.describe(jobs[job_id])
    return statements


def test_what_is_over_is_described_once() -> None:
    """A look asks for what runs, and for what is over if it never did."""
    overview = JobList(size=200)
    jobs = {name: job(name) for name in "ab"} | {"c": job("c", "SUCCESS", model="m")}
    assert look(overview, jobs) == [["a", "b", "c"]]
    assert look(overview, jobs) == [["a", "b"]]
    jobs["a"] = job("a", "ERROR", error={"code": "1", "message": "no"})
    assert look(overview, jobs) == [["b", "a"]]
    assert look(overview, jobs) == [["b"]]
    jobs["b"] = job("b", "CANCELLED")
    look(overview, jobs)
    assert look(overview, jobs) == []
    assert {known.id: known.model for known in overview.jobs}["c"] == "m"


CREATED = 1_790_000_000_000
"""Epoch milliseconds."""


def test_newest_first() -> None:
    """Jobs come by when they were created, the newest first, and those without a date at the end."""
    overview = JobList(size=200)
    overview.show([job("old", created_on=CREATED), job("none"), job("new", created_on=CREATED + 1)])
    assert [known.id for known in overview.jobs] == ["new", "old", "none"]


def test_what_is_gone_is_forgotten() -> None:
    """Snowflake collects old jobs: one that is no longer listed is no longer there."""
    overview = JobList(size=200)
    look(overview, {"a": job("a", "SUCCESS", model="m"), "b": job("b")})
    look(overview, {"b": job("b")})
    assert [known.id for known in overview.jobs] == ["b"]
    assert look(overview, {"a": job("a", "SUCCESS", model="other")}) == [["a"]]
    assert overview.jobs[0].model == "other"


def test_what_is_said_last_counts_and_nothing_is_lost() -> None:
    """SHOW may be newer than what DESCRIBE told before, and says less."""
    overview = JobList(size=200)
    described = job("a", "PENDING", progress=0.0, training_data="SELECT 1", created_on=CREATED)
    look(overview, {"a": described})
    overview.show([job("a", "IN_PROGRESS", training_data="")])
    (known,) = overview.jobs
    assert known.status is JobStatus.IN_PROGRESS
    assert known.training_data == "SELECT 1"


def test_too_many_for_one_look() -> None:
    """What one look has no statements for comes in the next ones; what runs comes first."""
    overview = JobList(size=2)
    jobs = {f"over {number}": job(f"over {number}", "SUCCESS") for number in range(9)}
    jobs["runs"] = job("runs")
    asked = [look(overview, jobs) for _ in range(3)]
    assert [len(statements) for statements in asked] == [3, 3, 1]
    assert [statements[0][0] for statements in asked] == ["runs", "runs", "runs"]
    described = {job_id for statements in asked for job_ids in statements for job_id in job_ids}
    assert described == jobs.keys()


def test_all_that_run_have_their_turn() -> None:
    """If more run than a look can ask for, those come first that have waited the longest."""
    overview = JobList(size=1)
    jobs = {name: job(name) for name in "abcd"}
    turns = [name for _ in range(4) for (name,) in look(overview, jobs)]
    assert all(turns.count(name) == 3 for name in jobs)


@pytest.mark.parametrize("status", ["SUCCESS", "IN_PROGRESS"])
def test_refused_job_is_found_out(status: str) -> None:
    """A job that takes its statement with it is alone in the end; the others are soon told of, together."""
    overview = JobList(size=16)
    jobs = [job(f"job {number}", status) for number in range(16)]
    refused = {"job 3"}
    looks = [look(overview, {known.id: known for known in jobs}, refused) for _ in range(8)]
    assert overview.undescribed == 1
    asked = [job_ids for statements in looks for job_ids in statements]
    assert ["job 3"] in asked
    assert overview.is_complete
    if status == "SUCCESS":  # nothing will happen to it any more
        assert looks[-1] == []
    else:  # Snowflake may have second thoughts
        assert sorted(map(len, looks[-1])) == [1, 15]
        assert overview.undescribed == 1
        look(overview, {known.id: known for known in jobs}, refused=set())
        assert overview.undescribed == 0


def test_unreadable_jobs_keep_nobody_waiting() -> None:
    """Jobs of which DESCRIBE tells nothing that can be read are asked for in turn with the others."""
    overview = JobList(size=1)
    jobs = [job(f"job {number}", "SUCCESS") for number in range(9)]
    for _ in range(3):
        overview.show(jobs)
        for (job_id,) in overview.statements():
            if job_id in {"job 0", "job 1", "job 2"}:
                overview.skip(job_id)
            else:
                overview.describe(jobs[int(job_id.removeprefix("job "))])
    assert overview.undescribed == 3
    assert overview.is_complete


def test_what_is_still_to_come() -> None:
    """It is complete when all that is over has been asked for; what runs is never done with."""
    overview = JobList(size=1)
    assert overview.is_complete
    jobs = {f"job {number}": job(f"job {number}", "SUCCESS") for number in range(4)}
    look(overview, jobs)
    assert (overview.is_complete, overview.undescribed) == (False, 1)
    look(overview, jobs | {"runs": job("runs")})
    assert (overview.is_complete, overview.undescribed) == (True, 0)


@given(
    st.integers(1, 5),
    st.lists(st.dictionaries(st.integers(0, 20), st.sampled_from(["IN_PROGRESS", *OVER]))),
)
@settings(deadline=None)  # how long it takes says something of the machine only
def test_a_look_is_never_dear(size: int, looks: list[dict[int, str]]) -> None:
    """Whatever the jobs do, a look has at most three statements, none too large, no job twice."""
    overview = JobList(size=size)
    for listed in looks:
        statements = look(overview, {str(name): job(str(name), listed[name]) for name in listed})
        asked = [job_id for job_ids in statements for job_id in job_ids]
        assert len(statements) <= STATEMENTS
        assert all(len(job_ids) <= size for job_ids in statements)
        assert len(asked) == len(set(asked))
        assert {known.id for known in overview.jobs} == {str(name) for name in listed}


def test_row_of_a_job_that_runs() -> None:
    """A row tells how far a job is, and how long it will take if it goes on like this."""
    runs = job("a", progress=0.25, created_on=CREATED, base_model="llama")
    told = row(runs, now=CREATED / 1000 + 60)
    assert told["status"] == "IN_PROGRESS"
    assert not told["is_finished"]
    assert told["ends_on"] == CREATED + 240_000
    assert (told["created_on"], told["finished_on"], told["model"]) == (CREATED, None, None)


def test_row_of_a_job_that_is_over() -> None:
    """A row has the figures, the model with what its versions have in common, and why the job failed."""
    told = row(
        job(
            "a",
            "SUCCESS",
            model="DB.S.triage_2",
            progress=1.0,
            created_on=CREATED,
            finished_on=CREATED + 1_000,
            trained_tokens=5,
            training_result={"training_loss": 0.5, "validation_loss": 0.7},
        ),
        now=120.0,
    )
    assert (told["model"], told["family"]) == ("DB.S.triage_2", "DB.S.TRIAGE")
    assert (told["training_loss"], told["validation_loss"], told["trained_tokens"]) == (0.5, 0.7, 5)
    assert (told["finished_on"], told["ends_on"], told["is_finished"]) == (
        CREATED + 1_000,
        None,
        True,
    )
    failed = row(job("a", "ERROR", error={"code": "E1", "message": "bad data"}), now=0.0)
    assert failed["error"] == "E1: bad data"
    assert row(job("a", "ERROR", error="bad data"), now=0.0)["error"] == "bad data"


def test_row_of_a_status_that_nobody_knows() -> None:
    """A status is shown in Cortex's own letters, and the job may still be running."""
    told = row(job("a", "Hibernating"), now=0.0)
    assert (told["status"], told["is_finished"], told["ends_on"]) == ("Hibernating", False, None)
