"""The next try of a task returns the job of an earlier one, unless that job is unusable."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import DAG

from airflow_provider_cortex.emulator import Emulator, Life
from airflow_provider_cortex.hooks import CortexHook
from airflow_provider_cortex.operators import CortexFineTuneOperator
from tests.adoption.jobs import DATASET, EXTRACTION, OTHER, REQUEST, Start, create, ids, job_of
from tests.worker import Store, Worker


def test_the_next_try_returns_the_job_of_the_first(
    start: Start, cortex_emulator: Emulator, log_lines: Callable[[], list[str]]
) -> None:
    """A retry, or a cleared task, returns the existing job, and logs that."""
    first = start()
    second = start(again=first)
    assert ids(cortex_emulator) == [job_of(first)] == [job_of(second)]
    lines = log_lines()
    assert any(f"Reusing fine-tuning job {job_of(first)} " in line for line in lines)
    assert not any("was started with another" in line for line in lines)


def test_a_first_try_does_not_search(start: Start, cortex_emulator: Emulator) -> None:
    """A first try only compiles two queries, starts the job, and describes it."""
    create()
    before = len(cortex_emulator.statements)
    start()
    assert len(cortex_emulator.statements) == before + 4


def test_a_retry_finds_a_job_whose_answer_was_lost(start: Start, cortex_emulator: Emulator) -> None:
    """If the answer to CREATE does not arrive, the retry finds the job."""
    with CortexHook() as hook:  # what comes before CREATE is a login
        hook.show()
    cortex_emulator.faults.add("reset", at="statement", requests=1)
    first = start({"if_exists": "create", "validate": False})
    assert first.state == "up_for_retry"
    second = start(again=first)
    assert ids(cortex_emulator) == [job_of(second)]


def test_a_finished_job_is_not_paid_for_again(start: Start, cortex_emulator: Emulator) -> None:
    """A task that is cleared after its job has succeeded returns the same job."""
    cortex_emulator.life = Life.at_once()
    first = start()
    with CortexHook() as hook:
        assert hook.describe(job_of(first)).outcome() == "CORTEX_DB.PUBLIC.lights"
    assert start(again=first).xcoms == first.xcoms


WHY = {
    "fail": "it failed: INTERNAL_ERROR: The emulator was told to fail this job.",
    "cancel": "it was cancelled",
}


@pytest.mark.parametrize("has_store", [False, True])
@pytest.mark.parametrize("end", WHY)
def test_after_a_failed_or_cancelled_job_another_one_starts(
    end: str,
    has_store: bool,
    start: Start,
    cortex_emulator: Emulator,
    log_lines: Callable[[], list[str]],
) -> None:
    """After a job that failed or was cancelled a retry starts another one, and logs why."""
    first = start(store=Store() if has_store else None)
    getattr(cortex_emulator.jobs, end)(job_of(first))
    second = start(again=first)
    assert ids(cortex_emulator) == [job_of(first), job_of(second)]
    (line,) = [
        line for line in log_lines() if f"Not reusing fine-tuning job {job_of(first)}" in line
    ]
    assert WHY[end] in line


@pytest.mark.parametrize("has_store", [False, True])
@pytest.mark.parametrize("model", ["lights", '"my lights"', "cortex_db.public.Lights_100"])
def test_after_a_dropped_model_another_job_starts(
    model: str,
    has_store: bool,
    start: Start,
    cortex_emulator: Emulator,
    log_lines: Callable[[], list[str]],
) -> None:
    """After a job whose model was dropped a retry starts another one, and logs why."""
    cortex_emulator.life = Life.at_once()
    first = start({"model": model}, store=Store() if has_store else None)
    # LIKE matches the _ of a name with any letter.
    create(model="lightsX100")
    assert job_of(start({"model": model}, again=first)) == job_of(first)
    with CortexHook() as hook:
        hook.run(f"DROP MODEL {model}")
    second = start({"model": model}, again=first)
    assert job_of(second) != job_of(first)
    assert any("has been dropped" in line and job_of(first) in line for line in log_lines())


def test_an_unknown_model_state_starts_no_other_job(
    start: Start, cortex_emulator: Emulator, log_lines: Callable[[], list[str]]
) -> None:
    """If it is unknown whether the model exists, no second job is paid for."""
    cortex_emulator.life = Life.at_once()
    first = start()
    with CortexHook() as hook:
        hook.show()
    # SHOW, DESCRIBE, and then SHOW MODELS.
    cortex_emulator.faults.add("error", at="statement", sqlstate="42501", code=3001, share=1 / 3)
    assert job_of(start(again=first)) == job_of(first)
    assert any("Cannot find out whether model" in line for line in log_lines())


def test_the_newest_usable_job_is_returned(start: Start, cortex_emulator: Emulator) -> None:
    """Of several jobs that a task has started, the newest usable one is returned."""
    first = start()
    second = start({"if_exists": "create"}, again=first)
    assert job_of(start(again=first)) == job_of(second)
    cortex_emulator.jobs.fail(job_of(second))
    assert job_of(start(again=first)) == job_of(first)


def test_changed_arguments_are_logged(
    start: Start, cortex_emulator: Emulator, log_lines: Callable[[], list[str]]
) -> None:
    """A task with other arguments than before still gets its job, and logs what differs."""
    first = start()
    changes = {"training_data": OTHER, "options": {"max_epochs": 5}}
    assert job_of(start(changes, again=first)) == job_of(first)
    (warning,) = [line for line in log_lines() if "was started with another" in line]
    assert "training_data and options" in warning
    assert 'if_exists="create"' in warning


def test_another_model_name_starts_another_job(start: Start, cortex_emulator: Emulator) -> None:
    """A task that now requests a model of another name gets that model."""
    first = start()
    assert job_of(start({"model": "bulbs"}, again=first)) != job_of(first)


def test_without_a_store_a_dataset_s_job_is_not_found(
    start: Start, cortex_emulator: Emulator, log_lines: Callable[[], list[str]]
) -> None:
    """Data that is not a query cannot carry a comment, so a retry starts another job."""
    data = EXTRACTION
    cortex_emulator.faults.add("record", set={"status": "IN_PROGRESS"}, remove=["error"])
    first = start(data)
    assert cortex_emulator.jobs.all()[0][0].training_data == DATASET
    assert job_of(start(data, again=first)) != job_of(first)
    assert not any("did not return the comment" in line for line in log_lines())


def test_with_a_store_a_dataset_s_job_is_found(start: Start, cortex_emulator: Emulator) -> None:
    """With Airflow 3.3's store a retry finds its job."""
    data = EXTRACTION
    cortex_emulator.faults.add("record", set={"status": "IN_PROGRESS"}, remove=["error"])
    first = start(data, store=Store())
    assert job_of(start(data, again=first)) == job_of(first)
    assert len(ids(cortex_emulator)) == 1


def test_if_exists_fail_fails_the_task(start: Start, cortex_emulator: Emulator) -> None:
    """With "fail" the task fails without a retry, and names the job."""
    first = start()
    second = start({"if_exists": "fail"}, again=first)
    assert second.state == "failed"
    assert job_of(first) in str(second.error)
    assert len(ids(cortex_emulator)) == 1


def test_if_exists_create_starts_a_job_at_each_try(start: Start, cortex_emulator: Emulator) -> None:
    """With "create" each try starts a job, without a search."""
    first = start()
    start({"if_exists": "create"}, again=first)
    assert len(ids(cortex_emulator)) == 2


@pytest.mark.parametrize("word", ["replace", "", True, 1])
def test_an_unknown_if_exists_is_rejected_when_the_dag_is_parsed(word: Any) -> None:
    """Any other word is rejected when the DAG is parsed."""
    with pytest.raises(ValueError, match="if_exists must be one of adopt, create, fail; got "):
        CortexFineTuneOperator(task_id="start", **REQUEST, if_exists=word)


@pytest.mark.parametrize(("word", "jobs"), [("create", 2), (" adopt\n", 1), ("adopt", 1)])
def test_if_exists_may_be_a_parameter_of_the_run(
    word: str, jobs: int, start: Start, cortex_emulator: Emulator, worker: Worker
) -> None:
    """Whether to train again can be a parameter of the run."""
    first = start()

    def make() -> CortexFineTuneOperator:
        with DAG("tickets", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC)):
            task = CortexFineTuneOperator(
                task_id="start", **REQUEST, if_exists="{{ params.if_exists }}"
            )
        context: Any = {"params": {"if_exists": word}}
        task.render_template_fields(context)
        return task

    assert worker.run(make, again=first).state == "success"
    assert len(ids(cortex_emulator)) == jobs


@pytest.mark.parametrize("word", ["replace", "None", "", None])
def test_an_if_exists_that_renders_to_another_word_is_rejected(
    word: Any, start: Start, cortex_emulator: Emulator, worker: Worker
) -> None:
    """An invalid rendered word is rejected by the argument's name, before anything is sent."""

    def make() -> CortexFineTuneOperator:
        task = CortexFineTuneOperator(task_id="start", **REQUEST, if_exists="{{ x }}")
        task.if_exists = word
        return task

    result = worker.run(make)
    assert result.state == "failed"
    assert str(result.error).startswith("if_exists must be ")
    assert cortex_emulator.logins == 0
