"""The tasks of a job, from the XComs that they pushed."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
from sqlalchemy import event
from starlette.testclient import TestClient

from airflow_provider_cortex.cortex.job import FineTuneJob
from airflow_provider_cortex.emulator import Emulator
from airflow_provider_cortex.page.job_tasks import (
    BUSY,
    CACHE_SECONDS,
    MAX_WAITING,
    JobTasks,
    TasksHiddenError,
    task_path,
)
from tests.clock import Clock
from tests.page.client import Permissions, Recorder, detail


def test_a_job_has_its_record_and_its_tasks(
    browser: TestClient, cortex_emulator: Emulator, record: Recorder
) -> None:
    """A job has the whole record and the tasks that started or awaited it, with their paths."""
    job = cortex_emulator.jobs.add(model="triage")
    record("weekly", ("train.start", -1, job.id), ("wait", 2, job.id), ("other", -1, "ft_other"))
    record("long ago", ("wait", -1, job.id), at=datetime.now(tz=UTC) - timedelta(days=1))
    answer = detail(browser, job.id)
    assert answer["record"]["training_result"].keys() == {"training_loss", "validation_loss"}
    assert answer["record"]["model"] == "triage"
    assert [(task["task_id"], task["map_index"]) for task in answer["tasks"]] == [
        ("train.start", -1),
        ("wait", 2),
    ]
    assert answer["tasks"][1] == {
        "dag_id": "weekly",
        "run_id": "run_1+00:00",
        "task_id": "wait",
        "map_index": 2,
        "operator": "CortexFineTuneSensor",
        "state": "deferred",
        "path": "dags/weekly/runs/run_1%2B00%3A00/tasks/wait/mapped/2",
    }


def test_the_earliest_tasks_come_first(
    browser: TestClient,
    cortex_emulator: Emulator,
    record: Recorder,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Tasks are in the order of their XComs; above the limit, the newest are left out."""
    monkeypatch.setattr("airflow_provider_cortex.page.job_tasks.MAX_TASKS", 3)
    job = cortex_emulator.jobs.add(model="triage")
    now = datetime.now(tz=UTC)
    for dag_id, minutes in ("third", 3), ("first", 1), ("fourth", 4), ("second", 2):
        record(dag_id, ("wait", -1, job.id), at=now + timedelta(minutes=minutes))
    dag_ids = [task["dag_id"] for task in detail(browser, job.id)["tasks"]]
    assert dag_ids == ["first", "second", "third"]


DAG, TASK_INSTANCE = None, DagAccessEntity.TASK_INSTANCE


def test_tasks_of_unreadable_dags_are_hidden(
    browser: TestClient, cortex_emulator: Emulator, record: Recorder, allow: Permissions
) -> None:
    """Tasks of a DAG that the viewer may not read are left out, and nothing says so."""
    job = cortex_emulator.jobs.add(model="triage")
    record("mine", ("wait", -1, job.id))
    record("theirs", ("wait", -1, job.id))
    allow("mine", entities=(DAG, TASK_INSTANCE))
    answer = detail(browser, job.id)
    assert [task["dag_id"] for task in answer["tasks"]] == ["mine"]
    assert answer["tasks_hidden"] is None


@pytest.mark.parametrize("entities", [(DAG,), (TASK_INSTANCE,), ()])
def test_tasks_take_the_permission_to_read_task_instances(
    entities: tuple[Any, ...],
    browser: TestClient,
    cortex_emulator: Emulator,
    record: Recorder,
    allow: Permissions,
) -> None:
    """A viewer who may read a DAG and not its task instances sees no tasks, and why."""
    job = cortex_emulator.jobs.add(model="triage")
    record("mine", ("wait", -1, job.id))
    allow("mine", entities=entities)
    answer = detail(browser, job.id)
    assert answer["tasks"] is None
    assert "you may not read task instances" in answer["tasks_hidden"]
    assert answer["record"]["model"] == "triage"


VIEWER = SimpleAuthManagerUser(username="ann", role="VIEWER")


def job_like(**fields: Any) -> FineTuneJob:
    """Return a job as Cortex describes it."""
    return FineTuneJob.parse({"id": "ft_1", "status": "PENDING"} | fields)


@contextmanager
def at_each_query(do: Callable[[], object]) -> Iterator[None]:
    """Do something whenever the XComs are read, in the thread that reads them."""
    from airflow import settings

    def listen(*arguments: Any) -> None:
        if "FROM xcom" in arguments[2]:
            do()

    event.listen(settings.engine, "before_cursor_execute", listen)
    yield
    event.remove(settings.engine, "before_cursor_execute", listen)


def test_look_ups_wait_in_a_short_queue(as_viewer: dict[str, str]) -> None:
    """While the database is busy, a few requests wait, and the others get an answer at once."""
    is_free = threading.Event()

    async def view() -> None:
        job_tasks = JobTasks()
        requests = [
            asyncio.create_task(job_tasks.visible_to(VIEWER, job_like(id=f"ft_{number}")))
            for number in range(40)
        ]
        done, waiting = await asyncio.wait(requests, return_when=asyncio.FIRST_EXCEPTION)
        assert (len(done), len(waiting)) == (40 - MAX_WAITING, MAX_WAITING)
        assert {str(request.exception()) for request in done} == {BUSY}
        is_free.set()
        assert await asyncio.gather(*waiting) == [[]] * MAX_WAITING
        job_tasks.close()

    with at_each_query(lambda: is_free.wait(30)):
        asyncio.run(view())


def test_a_hanging_database_does_not_hold_a_request(
    as_viewer: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request that gets no answer in time shows its job without tasks."""
    is_over = threading.Event()
    monkeypatch.setattr("airflow_provider_cortex.page.job_tasks.MAX_WAIT_SECONDS", 0.01)

    async def view() -> None:
        job_tasks = JobTasks()
        with pytest.raises(TasksHiddenError, match="too many requests"):
            await job_tasks.visible_to(VIEWER, job_like())
        is_over.set()
        job_tasks.close()

    with at_each_query(lambda: is_over.wait(30)):
        asyncio.run(view())


def test_a_hanging_database_does_not_hold_the_list_of_jobs(
    as_viewer: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The list comes without scores, soon."""
    is_over = threading.Event()
    monkeypatch.setattr("airflow_provider_cortex.page.job_tasks.MAX_LIST_WAIT_SECONDS", 0.01)

    async def view() -> None:
        job_tasks = JobTasks()
        assert await job_tasks.scores_visible_to(VIEWER) is None
        is_over.set()
        job_tasks.close()

    with at_each_query(lambda: is_over.wait(30)):
        asyncio.run(view())


def test_the_scores_of_all_jobs_are_looked_up_once_for_all_viewers(
    as_viewer: dict[str, str],
) -> None:
    """Within some seconds, any number of lists of jobs costs one query of the XComs."""
    queries: list[None] = []

    async def view() -> list[Any]:
        job_tasks = JobTasks()
        scores = [await job_tasks.scores_visible_to(VIEWER) for _ in range(10)]
        job_tasks.close()
        return scores

    with at_each_query(lambda: queries.append(None)):
        assert asyncio.run(view()) == [{}] * 10
    assert len(queries) == 1


def test_the_tasks_of_a_job_are_looked_up_once_for_all_viewers(
    browser: TestClient, cortex_emulator: Emulator, record: Recorder
) -> None:
    """Within some seconds, any number of requests costs one query of tasks, one of evaluations."""
    job = cortex_emulator.jobs.add(model="triage")
    record("weekly", ("wait", -1, job.id))
    threads: list[str] = []
    with at_each_query(lambda: threads.append(threading.current_thread().name)):
        shown = [detail(browser, job.id)["tasks"] for _ in range(10)]
    assert [len(tasks) for tasks in shown] == [1] * 10
    assert len(threads) == 2
    assert len(set(threads)) == 1
    assert threads[0].startswith("cortex-page-tasks")


def test_tasks_are_looked_up_again_after_some_seconds(
    as_viewer: dict[str, str], record: Recorder
) -> None:
    """A task that has started meanwhile is shown once the known tasks are no longer valid."""
    clock = Clock()

    async def view() -> list[int]:
        job_tasks = JobTasks(clock=clock.time)
        counts = []
        for dag_id, seconds in ("first", 0.0), ("second", CACHE_SECONDS - 1), ("third", 1.0):
            record(dag_id, ("wait", -1, "ft_1"))
            clock.now += seconds
            counts.append(len(await job_tasks.visible_to(VIEWER, job_like())))
        job_tasks.close()
        return counts

    assert asyncio.run(view()) == [1, 1, 3]


@pytest.mark.parametrize("job_id", ["ft_1", "ft_%", 'ft_"quoted"', "ft_größe", "::x"])
def test_a_job_s_tasks_are_found_by_any_id(
    job_id: str, as_viewer: dict[str, str], record: Recorder
) -> None:
    """The database compares a part of the id, whatever its JSON looks like, and we the rest."""
    record("weekly", ("wait", -1, job_id), ("other", -1, f"{job_id}1"), ("third", -1, "ft_x"))

    async def view() -> list[dict[str, Any]]:
        job_tasks = JobTasks()
        tasks = await job_tasks.visible_to(VIEWER, job_like(id=job_id))
        job_tasks.close()
        return tasks

    assert [task["task_id"] for task in asyncio.run(view())] == ["wait"]


def test_task_paths_are_airflows_with_quoted_names() -> None:
    """A task instance's path is Airflow's own, with every name quoted."""
    assert task_path("d/1", "r 1", "group.t", -1) == "dags/d%2F1/runs/r%201/tasks/group.t"
