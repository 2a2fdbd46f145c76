"""All jobs of an account, completed update by update."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_cortex.cortex.finetune import FineTuneJobs
from airflow_provider_cortex.cortex.job import FineTuneJob, JobStatus
from airflow_provider_cortex.cortex.job_list import STATEMENTS, JobList
from airflow_provider_cortex.errors import RejectedError, UnreachableError
from airflow_provider_cortex.page.table_row import row

FINISHED = ("SUCCESS", "ERROR", "CANCELLED")

CREATED = 1_790_000_000_000
"""Epoch milliseconds."""

# How long an example takes depends on the machine, and must not fail the test.
ALWAYS_THE_SAME = settings(
    deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)


def job(job_id: str, status: str = "IN_PROGRESS", **fields: Any) -> FineTuneJob:
    """Return a job as Cortex reports it."""
    return FineTuneJob.parse({"id": job_id, "status": status} | fields)


class Session:
    """
    An account. SHOW reports of its jobs the id and the status, DESCRIBE everything.

    *rejects*, *fails* and *garbles* are the ids of jobs with which DESCRIBE goes wrong.
    """

    last_query_id = None
    is_open = True

    def __init__(self) -> None:
        self.jobs: Mapping[str, FineTuneJob] = {}
        self.rejects: Collection[str] = ()
        self.fails: Collection[str] = ()
        self.garbles: Collection[str] = ()
        self.limit = 1000
        """The most calls in one statement."""
        self.unreadable: Collection[object] = ()
        """Entries of SHOW that are no jobs."""
        self.statements: list[list[str]] = []

    def open(self) -> None:
        """Log in."""

    def row(self, call: Any, *, width: int, about: str) -> tuple[object, ...]:
        """Answer SHOW or DESCRIBE."""
        if not call.values:
            listed = [
                {"id": job.id, "status": job.status_text, "training_data": ""}
                for job in self.jobs.values()
            ]
            return ([*listed, *self.unreadable],)
        ids = list(call.values)
        self.statements.append(ids)
        if set(ids) & set(self.fails):
            raise UnreachableError(f"could not {about}")
        if set(ids) & set(self.rejects) or len(ids) > self.limit:
            raise RejectedError(f"cannot {about}")
        return tuple(None if id_ in self.garbles else self.jobs[id_].text for id_ in ids)

    def sentence(self, call: Any, *, about: str) -> str:
        """Answer CREATE or CANCEL, which no update sends."""
        raise NotImplementedError


class Account:
    """An account's list of jobs, and the statements that its updates send."""

    def __init__(self, *, batch_size: int = 200) -> None:
        self.session = Session()
        self.list = JobList(batch_size)
        self._jobs = FineTuneJobs(self.session, batch_size=batch_size)

    def update(self, jobs: Iterable[FineTuneJob]) -> list[list[str]]:
        """Update the list once, and return which jobs each statement described."""
        self.session.jobs = {job.id: job for job in jobs}
        self.session.statements = []
        self.list.update(self._jobs)
        return self.session.statements

    def list_jobs(self, jobs: Iterable[FineTuneJob]) -> None:
        """Begin an update."""
        self.session.jobs = {job.id: job for job in jobs}
        self.list.list_jobs(self._jobs)

    @property
    def ids(self) -> list[str]:
        """The listed jobs' ids, in their order."""
        return [job.id for job in self.list.jobs]


def test_running_jobs_are_described_at_each_update_and_finished_ones_once() -> None:
    """A job that has finished since is described once more."""
    account = Account()
    jobs = {name: job(name) for name in "ab"} | {"c": job("c", "SUCCESS", model="m")}
    assert account.update(jobs.values()) == [["a", "b", "c"]]
    assert account.update(jobs.values()) == [["a", "b"]]
    jobs["a"] = job("a", "ERROR", error={"code": "1", "message": "no"})
    assert account.update(jobs.values()) == [["b", "a"]]
    assert account.update(jobs.values()) == [["b"]]
    jobs["b"] = job("b", "CANCELLED")
    account.update(jobs.values())
    assert account.update(jobs.values()) == []
    assert {known.id: known.model for known in account.list.jobs}["c"] == "m"


def test_a_finished_job_whose_status_changes_is_described_again() -> None:
    """Its record may have changed, too."""
    account = Account()
    account.update([job("a", "SUCCESS", model="m")])
    assert account.update([job("a", "SUCCESS", model="m")]) == []
    assert account.update([job("a", "ERROR", error="model lost")]) == [["a"]]
    assert account.list.is_complete


def test_jobs_are_listed_newest_first() -> None:
    """Those without a creation time come last."""
    account = Account()
    dated = job("old", created_on=CREATED), job("none"), job("new", created_on=CREATED + 1)
    account.update(dated)
    assert account.ids == ["new", "old", "none"]


def test_a_job_that_is_no_longer_listed_is_forgotten() -> None:
    """Snowflake removes old jobs. If one comes back, it is described again."""
    account = Account()
    account.update([job("a", "SUCCESS", model="m"), job("b")])
    account.update([job("b")])
    assert account.ids == ["b"]
    assert account.update([job("a", "SUCCESS", model="other")]) == [["a"]]
    assert account.list.jobs[0].model == "other"


def test_the_latest_report_counts_and_earlier_fields_stay() -> None:
    """SHOW may be newer than the last DESCRIBE, and reports less."""
    account = Account()
    account.update([job("a", "PENDING", training_data="SELECT 1", created_on=CREATED)])
    account.session.garbles = ["a"]
    account.update([job("a", "IN_PROGRESS")])
    (known,) = account.list.jobs
    assert known.status is JobStatus.IN_PROGRESS
    assert known.training_data == "SELECT 1"


def test_listing_describes_nothing_and_leaves_out_what_is_no_job() -> None:
    """The page shows the listed jobs before they are described."""
    account = Account()
    account.session.unreadable = [{"status": "PENDING"}, None]
    account.list_jobs([job("a")])
    assert account.ids == ["a"]
    assert account.session.statements == []


def test_an_update_sends_at_most_three_statements() -> None:
    """The other jobs follow in the next updates; running jobs come first."""
    account = Account(batch_size=2)
    jobs = [job(f"finished {number}", "SUCCESS") for number in range(9)] + [job("running")]
    updates = [account.update(jobs) for _ in range(3)]
    assert [len(statements) for statements in updates] == [3, 3, 1]
    assert [statements[0][0] for statements in updates] == ["running"] * 3
    described = {job_id for statements in updates for ids in statements for job_id in ids}
    assert described == {known.id for known in jobs}


def test_running_jobs_take_turns() -> None:
    """If too many run for one update, those come first that have waited longest."""
    account = Account(batch_size=1)
    jobs = [job(name) for name in "abcd"]
    turns = [name for _ in range(4) for (name,) in account.update(jobs)]
    assert all(turns.count(known.id) == 3 for known in jobs)


@pytest.mark.parametrize("status", ["SUCCESS", "IN_PROGRESS"])
def test_a_rejected_job_is_described_alone_in_the_end(status: str) -> None:
    """The others are described, and soon share a statement again."""
    account = Account(batch_size=16)
    jobs = [job(f"job {number}", status) for number in range(16)]
    account.session.rejects = ["job 3"]
    updates = [account.update(jobs) for _ in range(8)]
    assert account.list.undescribed == 1
    assert ["job 3"] in [ids for statements in updates for ids in statements]
    assert account.list.is_complete
    if status == "SUCCESS":  # it will not change
        assert updates[-1] == []
    else:  # Snowflake may describe it later
        assert sorted(map(len, updates[-1])) == [1, 15]
        account.session.rejects = []
        account.update(jobs)
        assert account.list.undescribed == 0


def test_an_account_that_allows_fewer_calls_is_described_by_halves() -> None:
    """An update that runs out of statements goes on with smaller ones at the next."""
    account = Account(batch_size=10)
    account.session.limit = 2
    jobs = [job(name, "SUCCESS") for name in "abcdefghij"]
    first, *_, last = [account.update(jobs) for _ in range(6)]
    assert [len(ids) for ids in first] == [10, 5, 3]
    assert account.list.undescribed == 0
    assert last == []


def test_unreadable_jobs_do_not_hold_up_the_others() -> None:
    """DESCRIBE is asked about each job in turn; a finished one is not asked about again."""
    account = Account(batch_size=1)
    jobs = [job(f"job {number}", "SUCCESS") for number in range(9)]
    account.session.garbles = ["job 0", "job 1", "job 2"]
    for _ in range(3):
        account.update(jobs)
    assert account.list.undescribed == 3
    assert account.list.is_complete


def test_a_transient_error_is_raised_after_the_other_jobs_are_described() -> None:
    """Its jobs are described at the next update."""
    account = Account(batch_size=1)
    jobs = [job(f"job {number}", "SUCCESS") for number in range(3)]
    account.session.fails = ["job 0"]
    with pytest.raises(UnreachableError, match="job 0"):
        account.update(jobs)
    assert account.list.undescribed == 1
    assert not account.list.is_complete
    account.session.fails = []
    assert account.update(jobs) == [["job 0"]]
    assert account.list.is_complete


def test_a_list_is_complete_when_all_finished_jobs_have_been_described() -> None:
    """Running jobs do not count."""
    account = Account(batch_size=1)
    assert account.list.is_complete
    jobs = [job(f"job {number}", "SUCCESS") for number in range(4)]
    account.update(jobs)
    assert (account.list.is_complete, account.list.undescribed) == (False, 1)
    account.update([*jobs, job("running")])
    assert (account.list.is_complete, account.list.undescribed) == (True, 0)


@given(
    st.integers(1, 5),
    st.lists(
        st.dictionaries(st.integers(0, 20), st.sampled_from(["IN_PROGRESS", *FINISHED])),
        max_size=8,
    ),
)
@settings(ALWAYS_THE_SAME, max_examples=60)
def test_no_update_is_expensive(size: int, updates: list[dict[int, str]]) -> None:
    """Whatever the jobs do: at most three statements, none too large, and no job twice."""
    account = Account(batch_size=size)
    for listed in updates:
        statements = account.update([job(str(name), listed[name]) for name in listed])
        asked = [job_id for ids in statements for job_id in ids]
        assert len(statements) <= STATEMENTS
        assert all(len(ids) <= size for ids in statements)
        assert len(asked) == len(set(asked))
        assert set(account.ids) == {str(name) for name in listed}


# --- Rows ----------------------------------------------------------------------------------------


def test_the_row_of_a_running_job_says_when_it_ends() -> None:
    """If it goes on at its present speed."""
    running = job("a", progress=0.25, created_on=CREATED, base_model="llama")
    found = row(running, now=CREATED / 1000 + 60)
    assert found["status"] == "IN_PROGRESS"
    assert not found["is_finished"]
    assert found["ends_on"] == CREATED + 240_000
    assert (found["created_on"], found["finished_on"], found["model"]) == (CREATED, None, None)


def test_the_row_of_a_finished_job_has_its_figures() -> None:
    """The model, the name that its versions share, losses and tokens, or why the job failed."""
    found = row(
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
    assert (found["model"], found["family"]) == ("DB.S.triage_2", "DB.S.TRIAGE")
    assert (found["training_loss"], found["validation_loss"]) == (0.5, 0.7)
    assert found["trained_tokens"] == 5
    assert (found["finished_on"], found["ends_on"]) == (CREATED + 1_000, None)
    assert found["is_finished"]
    failed = row(job("a", "ERROR", error={"code": "E1", "message": "bad data"}), now=0.0)
    assert failed["error"] == "E1: bad data"
    assert row(job("a", "ERROR", error="bad data"), now=0.0)["error"] == "bad data"


def test_the_row_of_an_unknown_status_shows_it_as_it_is() -> None:
    """The job may still be running."""
    found = row(job("a", "Hibernating"), now=0.0)
    assert (found["status"], found["is_finished"], found["ends_on"]) == ("Hibernating", False, None)
