"""The search for the job of an earlier try: in Airflow's store, and among the account's jobs."""

from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_cortex.emulator import Emulator, Life
from airflow_provider_cortex.hooks import CortexHook
from tests.adoption.jobs import Start, create, ids, job_of
from tests.worker import Store


@pytest.mark.parametrize("value", [{}, None, 7, {"finetune_job_id": None}])
def test_an_unknown_value_in_the_store_is_ignored(
    value: object, start: Start, cortex_emulator: Emulator
) -> None:
    """A value that this package did not write is ignored."""
    store = Store()
    first = start(store=store)
    (key,) = store
    assert store[key] == job_of(first)
    store[key] = value
    assert job_of(start(again=first)) == job_of(first)  # by its comment
    assert len(ids(cortex_emulator)) == 1


def test_the_store_counts_at_each_try(start: Start, cortex_emulator: Emulator) -> None:
    """The job in the store is this task's, whatever number the try has."""
    store = Store()
    first = start(store=store)
    before = len(cortex_emulator.statements)
    assert job_of(start(again=first, try_number=1)) == job_of(first)
    assert len(cortex_emulator.statements) == before + 1


def test_without_a_working_store_the_comment_is_enough(
    start: Start, log_lines: Callable[[], list[str]]
) -> None:
    """If the store fails, the job is started, and found by its comment."""

    class Broken(Store):
        def get(self, *_: Any) -> Any:
            raise OSError("no store")

        def set(self, *_: Any) -> None:
            raise OSError("no store")

    first = start(store=Broken())
    assert job_of(start(again=first)) == job_of(first)
    lines = log_lines()
    assert any("cannot be written" in line for line in lines)
    assert any("cannot be read" in line for line in lines)


@pytest.mark.parametrize("has_store", [False, True])
def test_a_job_that_snowflake_has_forgotten_is_not_reused(
    has_store: bool, start: Start, cortex_emulator: Emulator
) -> None:
    """A job that Snowflake can no longer describe is not reused."""
    first = start(store=Store() if has_store else None)
    cortex_emulator.faults.add("vanish", job_id=job_of(first))
    assert job_of(start(again=first)) != job_of(first)


def test_other_jobs_that_cannot_be_described_do_not_matter(
    start: Start, cortex_emulator: Emulator
) -> None:
    """Jobs that SHOW lists and DESCRIBE rejects do not hide the task's own job."""
    first = start()
    others = [create() for _ in range(5)]
    for job_id in others[1], others[4]:
        cortex_emulator.faults.add("vanish", job_id=job_id)
    assert start(again=first).xcoms == first.xcoms


def test_the_newest_jobs_are_described_first(
    start: Start, cortex_emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The newest jobs are described first, a batch at once, and no more than needed."""
    monkeypatch.setenv("AIRFLOW__CORTEX__BATCH_SIZE", "3")
    old = [create() for _ in range(4)]
    first = start()
    for _ in range(2):
        create()
    with CortexHook() as hook:
        hook.show()
    before = len(cortex_emulator.statements)
    assert job_of(start(again=first)) == job_of(first)
    assert len(cortex_emulator.statements) == before + 2  # SHOW, and one DESCRIBE
    assert job_of(start(again=first)) not in old


def test_an_unreadable_job_does_not_hide_the_task_s_own(
    start: Start, cortex_emulator: Emulator
) -> None:
    """A retry returns its own job, also if a newer one cannot be read."""
    first = start()
    cortex_emulator.jobs.answer(create(), "?")
    assert job_of(start(again=first)) == job_of(first)


def test_a_description_that_is_unreadable_once_is_read_again(
    start: Start, cortex_emulator: Emulator
) -> None:
    """The same try returns the job."""
    first = start()
    cortex_emulator.jobs.answer(job_of(first), "?", looks=1)
    assert job_of(start(again=first)) == job_of(first)
    assert len(ids(cortex_emulator)) == 1


def test_while_a_running_job_is_unreadable_no_other_one_starts(
    start: Start, cortex_emulator: Emulator
) -> None:
    """It may be the task's own, so the task names it, fails, and may be retried."""
    first = start()
    cortex_emulator.jobs.answer(job_of(first), "?", looks=2)
    second = start(again=first)
    assert second.state == "up_for_retry"
    assert job_of(first) in str(second.error)
    assert job_of(start(again=second)) == job_of(first)
    assert len(ids(cortex_emulator)) == 1


@pytest.mark.parametrize("end", ["succeed", "fail", "cancel"])
def test_a_finished_job_that_is_unreadable_holds_up_no_retry(
    end: str, start: Start, cortex_emulator: Emulator, log_lines: Callable[[], list[str]]
) -> None:
    """It may be anybody's, and stay unreadable for ever. The log names it."""
    life, cortex_emulator.life = cortex_emulator.life, Life.at_once()
    theirs = create()
    cortex_emulator.life = life
    if end != "succeed":
        getattr(cortex_emulator.jobs, end)(theirs)
    cortex_emulator.jobs.answer(theirs, "?")
    mine = start(try_number=2)
    assert job_of(mine) == ids(cortex_emulator)[1]
    assert any(f"Not reusing fine-tuning job {theirs}" in line for line in log_lines())


def test_while_snowflake_is_unreachable_no_job_starts(
    start: Start, cortex_emulator: Emulator
) -> None:
    """As long as it is unknown whether there is a job, none is started."""
    first = start()
    cortex_emulator.faults.add("error", sqlstate="XX000", code=603)
    assert start(again=first).state == "up_for_retry"
    assert len(ids(cortex_emulator)) == 1


def test_a_remembered_job_that_is_unreadable_is_retried(
    start: Start, cortex_emulator: Emulator
) -> None:
    """If the job in the store is unreadable, the task may be retried, and starts no other."""
    first = start(store=Store())
    cortex_emulator.jobs.answer(job_of(first), "?", looks=1)
    second = start(again=first)
    assert second.state == "up_for_retry"
    assert job_of(start(again=second)) == job_of(first)
    assert len(ids(cortex_emulator)) == 1
