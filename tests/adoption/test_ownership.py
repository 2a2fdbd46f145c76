"""Only a job that is proved to be a task's own is reused, never one that only looks alike."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow_provider_cortex.emulator import Emulator, Life
from airflow_provider_cortex.hooks import CortexHook
from airflow_provider_cortex.operators import CortexFineTuneOperator
from tests.adoption.jobs import OTHER, QUERY, REQUEST, Start, create, ids, job_of
from tests.worker import AIRFLOW_2, Result, Store, Worker


@pytest.mark.parametrize("validate", [True, False])
def test_the_training_query_ends_with_the_task_s_comment(
    validate: bool, start: Start, cortex_emulator: Emulator
) -> None:
    """The query that Cortex gets ends with a comment that names the task, with a hash."""
    start({"validate": validate}, dag_id="tickets", run_id="weekly_1", map_index=7)
    ((job, _state),) = cortex_emulator.jobs.all()
    query, comment = job.training_data.split(" /* ")
    assert query == QUERY
    word, proof, task, run, index, end = comment.split()
    assert (word, task, run, index, end) == (
        *("airflow-task", "tickets.start", "weekly_1", "map_index=7", "*/"),
    )
    assert len(proof) == 32
    assert job.validation_data == OTHER


OTHERS: dict[str, dict[str, Any]] = {
    "another DAG": {"dag_id": "team_a"},
    "another run": {"run_id": "weekly_0"},
    "a mapped sibling": {"map_index": 1},
}


@pytest.mark.parametrize("has_store", [False, True])
@pytest.mark.parametrize("who", OTHERS)
def test_a_job_that_only_looks_alike_is_not_reused(
    who: str, has_store: bool, start: Start, cortex_emulator: Emulator
) -> None:
    """A job with the same request, at the same time, may still be another task's."""
    mine = {"dag_id": "team_b", "run_id": "weekly_1", "map_index": 0}
    mine["store"] = Store() if has_store else None
    theirs = start(**mine | OTHERS[who] | {"store": None})
    first = start(**mine)
    assert job_of(first) != job_of(theirs)
    # Both workers die after CREATE.
    assert job_of(start(again=first)) == job_of(first)
    assert job_of(start(again=theirs)) == job_of(theirs)
    assert len(ids(cortex_emulator)) == 2


@pytest.mark.parametrize("if_exists", ["adopt", "fail"])
def test_a_later_try_reuses_no_other_task_s_job(
    if_exists: str, start: Start, cortex_emulator: Emulator
) -> None:
    """A second try whose first started nothing does not take another task's job for its own."""
    theirs = [create(), job_of(start(dag_id="team_a")), job_of(start(run_id="weekly_0"))]
    mine = start({"if_exists": if_exists}, try_number=2)
    assert job_of(mine) not in theirs
    assert len(ids(cortex_emulator)) == 4


def test_two_tasks_of_one_run_have_their_own_jobs(
    connection: str, cortex_emulator: Emulator, worker: Worker
) -> None:
    """Two tasks of one run with the same request each have their own job."""
    cortex_emulator.life = Life.by_time(3600)

    def run(task_id: str, **facts: Any) -> Result:
        return worker.run(
            lambda: CortexFineTuneOperator(task_id=task_id, **REQUEST), run_id="w", **facts
        )

    one, other = run("one", store=None), run("other", store=None)
    assert len(set(ids(cortex_emulator))) == 2
    assert job_of(run("other", again=other)) == job_of(other)
    assert job_of(run("one", again=one)) == job_of(one)


def test_several_calls_in_a_task_have_their_own_jobs(
    start: Start, cortex_emulator: Emulator
) -> None:
    """A @task function may start several jobs: each call finds the job of its own model."""
    store = Store()
    facts = {"run_id": "weekly_1", "store": store}
    first, second = start({"model": "a"}, **facts), start({"model": "b"}, **facts)
    assert job_of(first) != job_of(second)
    again = {"try_number": 2, **facts}
    assert job_of(start({"model": "b"}, **again)) == job_of(second)
    assert job_of(start({"model": "a"}, **again)) == job_of(first)
    assert len(ids(cortex_emulator)) == 2


def test_two_deployments_have_their_own_jobs(
    start: Start, cortex_emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Staging and production may run the same DAG for the same date in one account."""
    variable = "AIRFLOW__WEBSERVER__BASE_URL" if AIRFLOW_2 else "AIRFLOW__API__BASE_URL"
    monkeypatch.setenv(variable, "https://staging.example.com")
    theirs = start(run_id="weekly_1")
    monkeypatch.setenv(variable, "https://production.example.com")
    first = start(run_id="weekly_1", try_number=2)
    assert job_of(first) != job_of(theirs)
    assert job_of(start(again=first)) == job_of(first)


def test_the_same_query_in_another_schema_is_another_job(
    start: Start, cortex_emulator: Emulator, worker: Worker
) -> None:
    """The same query text in another schema reads other rows: it has another job."""
    cortex_emulator.life = Life.by_time(3600)
    with CortexHook() as hook:
        hook.run("CREATE SCHEMA team_a")
    theirs = start({"schema": "TEAM_A"}, dag_id="team_a")
    mine = start(dag_id="team_b", try_number=2)
    assert job_of(mine) != job_of(theirs)


def test_the_last_comment_of_a_copied_query_counts(start: Start, cortex_emulator: Emulator) -> None:
    """A query that is copied from DESCRIBE has a comment already: the last one counts."""
    theirs = start(dag_id="team_a")
    cortex_emulator.jobs.cancel(job_of(theirs))
    ((job, _state),) = cortex_emulator.jobs.all()
    mine = start({"training_data": job.training_data}, dag_id="team_b")
    assert job_of(start(again=theirs)) not in {job_of(theirs), job_of(mine)}
    assert job_of(start({"training_data": job.training_data}, again=mine)) == job_of(mine)


@pytest.mark.parametrize("jump", [-5, -90, 3600])
@pytest.mark.parametrize("has_store", [False, True])
def test_snowflake_s_clock_does_not_matter(
    jump: float, has_store: bool, start: Start, cortex_emulator: Emulator
) -> None:
    """A job is found whatever Snowflake's clock says, at the first try and at the next."""
    cortex_emulator.faults.add("clock", jump=jump)
    first = start(store=Store() if has_store else None)
    assert job_of(start(again=first)) == job_of(first)
    cortex_emulator.faults.clear()
    assert job_of(start(again=first)) == job_of(first)
    assert ids(cortex_emulator) == [job_of(first)]


@pytest.mark.parametrize(
    "end", [";", " -- weekly", " // all", "; -- weekly", " /* mine */", "\n"], ids=repr
)
def test_a_job_is_found_however_its_query_ends(
    end: str, start: Start, cortex_emulator: Emulator
) -> None:
    """A semicolon or a comment at the query's end does not hide the job."""
    first = start({"training_data": QUERY + end})
    assert job_of(start({"training_data": QUERY + end}, again=first)) == job_of(first)


def test_a_reformatted_comment_is_recognised(start: Start, cortex_emulator: Emulator) -> None:
    """Cortex may return the query with other whitespace and a semicolon."""
    first = start()
    ((job, _state),) = cortex_emulator.jobs.all()
    changed = job.training_data.replace("/* ", "/*\n").replace(" */", "*/ ;\n")
    cortex_emulator.faults.add("record", set={"training_data": changed})
    assert job_of(start(again=first)) == job_of(first)


def test_a_missing_comment_is_logged_once(
    start: Start, cortex_emulator: Emulator, log_lines: Callable[[], list[str]]
) -> None:
    """If Cortex drops the comment, a new job logs that, once, and is returned."""
    cortex_emulator.faults.add("record", set={"training_data": QUERY})
    assert job_of(start()) == ids(cortex_emulator)[0]
    lines = [line for line in log_lines() if "did not return the comment" in line]
    assert len(lines) == 1
    assert ids(cortex_emulator)[0] in lines[0]


def test_a_new_job_that_cannot_be_described_is_returned(
    start: Start, cortex_emulator: Emulator, log_lines: Callable[[], list[str]]
) -> None:
    """An error after CREATE does not lose the job."""
    cortex_emulator.faults.add("error", at="describe", sqlstate="XX000", code=603)
    assert job_of(start()) == ids(cortex_emulator)[0]
    assert any("cannot be described yet" in line for line in log_lines())


def test_overlapping_runs_find_their_own_jobs(start: Start, cortex_emulator: Emulator) -> None:
    """Runs whose workers die after CREATE each find their own job, in any order."""
    hour = timedelta(hours=1)
    runs = [
        start(run_id=f"weekly_{n}", map_index=n % 2, start_date=datetime.now(tz=UTC) - hour)
        for n in range(4)
    ]
    again = [start(again=run) for run in reversed(runs)]
    assert [job_of(run) for run in again] == [job_of(run) for run in reversed(runs)]
    assert len(set(ids(cortex_emulator))) == 4
