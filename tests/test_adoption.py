"""Only its own job: whatever becomes of the task that started one, it pays once, and touches no other."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import DAG

from airflow_provider_cortex.emulator import Emulator, Life
from airflow_provider_cortex.hooks import CortexHook
from airflow_provider_cortex.operators import CortexFineTuneOperator
from tests.worker import AIRFLOW_2, Result, Store, Worker

QUERY = "SELECT 'red' AS prompt, 'stop' AS completion"
OTHER = "SELECT 'green' AS prompt, 'go' AS completion"
REQUEST: dict[str, Any] = {
    "model": "lights",
    "base_model": "llama3.1-8b",
    "training_data": QUERY,
    "validation_data": OTHER,
    "options": {"max_epochs": 3},
}
DATASET = "snow://dataset/db.s.tickets/versions/v1"

Start = Callable[..., Result]


@pytest.fixture
def start(connection: str, cortex_emulator: Emulator, worker: Worker) -> Start:
    """Run the operator that starts a job, which takes its time; without Airflow 3.3's store, by default."""
    cortex_emulator.life = Life.by_time(3600)

    def run(changes: dict[str, Any] | None = None, **facts: Any) -> Result:
        arguments = REQUEST | (changes or {})
        if "again" not in facts:
            facts.setdefault("store", None)
        return worker.run(lambda: CortexFineTuneOperator(task_id="start", **arguments), **facts)

    return run


def create(**changes: Any) -> str:
    """Start a job, as another user would."""
    with CortexHook() as hook:
        return hook.create(**REQUEST | changes)


def ids(emulator: Emulator) -> list[str]:
    """Return the jobs there are."""
    return [job.id for job, _ in emulator.jobs.all()]


def job_of(result: Result) -> str:
    """Return the job that a task has returned."""
    assert result.state == "success", result
    return str(result.xcoms["return_value"])


def test_next_try_adopts(
    start: Start, cortex_emulator: Emulator, log_lines: Callable[[], list[str]]
) -> None:
    """A retry, or a cleared task, returns the job that is there, and says so."""
    first = start()
    second = start(again=first)
    assert ids(cortex_emulator) == [job_of(first)] == [job_of(second)]
    lines = log_lines()
    assert any("Adopted fine-tuning job ft_" in line for line in lines)
    assert not any("was started with another" in line for line in lines)


def test_no_more_statements_than_it_takes(start: Start, cortex_emulator: Emulator) -> None:
    """A first try does not look through the account's jobs: it compiles, starts the job, and looks at it."""
    create()
    before = len(cortex_emulator.statements)
    start()
    assert len(cortex_emulator.statements) == before + 4


@pytest.mark.parametrize("validate", [True, False])
def test_comment(validate: bool, start: Start, cortex_emulator: Emulator) -> None:
    """The query that Cortex gets has a comment at its end, which names the task and cannot be another's."""
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


def test_answer_that_was_lost(start: Start, cortex_emulator: Emulator) -> None:
    """If the answer to CREATE does not arrive, the retry finds the job."""
    with CortexHook() as hook:  # what comes before CREATE is a login
        hook.show()
    cortex_emulator.faults.add("reset", at="statement", requests=1)
    first = start({"if_exists": "create", "validate": False})
    assert first.state == "up_for_retry"
    second = start(again=first)
    assert ids(cortex_emulator) == [job_of(second)]


def test_job_that_is_done(start: Start, cortex_emulator: Emulator) -> None:
    """A task that is cleared when its job has succeeded does not pay again, either."""
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
def test_job_that_is_lost(
    end: str,
    has_store: bool,
    start: Start,
    cortex_emulator: Emulator,
    log_lines: Callable[[], list[str]],
) -> None:
    """After a job that failed or was cancelled the retry starts another one, and says why."""
    first = start(store=Store() if has_store else None)
    getattr(cortex_emulator.jobs, end)(job_of(first))
    second = start(again=first)
    assert ids(cortex_emulator) == [job_of(first), job_of(second)]
    assert any(WHY[end] in line and job_of(first) in line for line in log_lines())


@pytest.mark.parametrize("has_store", [False, True])
@pytest.mark.parametrize("model", ["lights", '"my lights"', "cortex_db.public.Lights_100"])
def test_model_that_was_dropped(
    model: str,
    has_store: bool,
    start: Start,
    cortex_emulator: Emulator,
    log_lines: Callable[[], list[str]],
) -> None:
    """After a job whose model was dropped the retry starts another one, and says why."""
    cortex_emulator.life = Life.at_once()
    first = start({"model": model}, store=Store() if has_store else None)
    # LIKE takes the _ of a name for any letter.
    create(model="lightsX100")
    assert job_of(start({"model": model}, again=first)) == job_of(first)
    with CortexHook() as hook:
        hook.run(f"DROP MODEL {model}")
    second = start({"model": model}, again=first)
    assert job_of(second) != job_of(first)
    assert any("has been dropped" in line and job_of(first) in line for line in log_lines())


def test_models_that_cannot_be_listed(
    start: Start, cortex_emulator: Emulator, log_lines: Callable[[], list[str]]
) -> None:
    """If nobody can tell whether the model is there, no second job is paid for."""
    cortex_emulator.life = Life.at_once()
    first = start()
    with CortexHook() as hook:
        hook.show()
    # SHOW, DESCRIBE, and then SHOW MODELS.
    cortex_emulator.faults.add("error", at="statement", sqlstate="42501", code=3001, share=1 / 3)
    assert job_of(start(again=first)) == job_of(first)
    assert any("Cannot tell whether model" in line for line in log_lines())


def test_newest_of_its_jobs(start: Start, cortex_emulator: Emulator) -> None:
    """Of several jobs that a task has started, the newest that can be used counts."""
    first = start()
    second = start({"if_exists": "create"}, again=first)
    assert job_of(start(again=first)) == job_of(second)
    cortex_emulator.jobs.fail(job_of(second))
    assert job_of(start(again=first)) == job_of(first)


OTHERS: dict[str, dict[str, Any]] = {
    "another DAG": {"dag_id": "team_a"},
    "another run": {"run_id": "weekly_0"},
    "a mapped sibling": {"map_index": 1},
}


@pytest.mark.parametrize("has_store", [False, True])
@pytest.mark.parametrize("who", OTHERS)
def test_what_looks_alike_is_not_adopted(
    who: str, has_store: bool, start: Start, cortex_emulator: Emulator
) -> None:
    """A job that asks for the very same, at the same time, is somebody else's all the same."""
    mine = {"dag_id": "team_b", "run_id": "weekly_1", "map_index": 0}
    mine["store"] = Store() if has_store else None
    theirs = start(**mine | OTHERS[who] | {"store": None})
    first = start(**mine)
    assert job_of(first) != job_of(theirs)
    # Its worker dies after CREATE; the other's, too.
    assert job_of(start(again=first)) == job_of(first)
    assert job_of(start(again=theirs)) == job_of(theirs)
    assert len(ids(cortex_emulator)) == 2


@pytest.mark.parametrize("if_exists", ["adopt", "fail"])
def test_first_job_of_a_later_try(if_exists: str, start: Start, cortex_emulator: Emulator) -> None:
    """A try that follows one that started nothing does not take the same request of others for its own."""
    theirs = [create(), job_of(start(dag_id="team_a")), job_of(start(run_id="weekly_0"))]
    mine = start({"if_exists": if_exists}, try_number=2)
    assert job_of(mine) not in theirs
    assert len(ids(cortex_emulator)) == 4


def test_another_task(connection: str, cortex_emulator: Emulator, worker: Worker) -> None:
    """Two tasks of one run that ask for the same each have their own job."""
    cortex_emulator.life = Life.by_time(3600)

    def run(task_id: str, **facts: Any) -> Result:
        return worker.run(
            lambda: CortexFineTuneOperator(task_id=task_id, **REQUEST), run_id="w", **facts
        )

    one, other = run("one", store=None), run("other", store=None)
    assert len(set(ids(cortex_emulator))) == 2
    assert job_of(run("other", again=other)) == job_of(other)
    assert job_of(run("one", again=one)) == job_of(one)


def test_several_calls_in_a_task(start: Start, cortex_emulator: Emulator) -> None:
    """A @task function may start several jobs: each call finds the one for its own model."""
    store = Store()
    facts = {"run_id": "weekly_1", "store": store}
    first, second = start({"model": "a"}, **facts), start({"model": "b"}, **facts)
    assert job_of(first) != job_of(second)
    again = {"try_number": 2, **facts}
    assert job_of(start({"model": "b"}, **again)) == job_of(second)
    assert job_of(start({"model": "a"}, **again)) == job_of(first)
    assert len(ids(cortex_emulator)) == 2


def test_another_airflow(
    start: Start, cortex_emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Staging and production may run the same DAG for the same date against one Snowflake account."""
    variable = "AIRFLOW__WEBSERVER__BASE_URL" if AIRFLOW_2 else "AIRFLOW__API__BASE_URL"
    monkeypatch.setenv(variable, "https://staging.example.com")
    theirs = start(run_id="weekly_1")
    monkeypatch.setenv(variable, "https://production.example.com")
    first = start(run_id="weekly_1", try_number=2)
    assert job_of(first) != job_of(theirs)
    assert job_of(start(again=first)) == job_of(first)


def test_another_schema(start: Start, cortex_emulator: Emulator, worker: Worker) -> None:
    """The same query text in another schema reads other rows: it is another task's, and another job."""
    cortex_emulator.life = Life.by_time(3600)
    with CortexHook() as hook:
        hook.run("CREATE SCHEMA team_a")
    theirs = start({"schema": "TEAM_A"}, dag_id="team_a")
    mine = start(dag_id="team_b", try_number=2)
    assert job_of(mine) != job_of(theirs)


def test_a_query_that_was_copied(start: Start, cortex_emulator: Emulator) -> None:
    """Who copies a query out of DESCRIBE copies its comment, too: the last one counts."""
    theirs = start(dag_id="team_a")
    cortex_emulator.jobs.cancel(job_of(theirs))
    ((job, _state),) = cortex_emulator.jobs.all()
    mine = start({"training_data": job.training_data}, dag_id="team_b")
    assert job_of(start(again=theirs)) not in {job_of(theirs), job_of(mine)}
    assert job_of(start({"training_data": job.training_data}, again=mine)) == job_of(mine)


@pytest.mark.parametrize("jump", [-5, -90, 3600])
@pytest.mark.parametrize("has_store", [False, True])
def test_clocks_that_differ(
    jump: float, has_store: bool, start: Start, cortex_emulator: Emulator
) -> None:
    """It does not matter what Snowflake's clock says: not at the first try, and not at the next."""
    cortex_emulator.faults.add("clock", jump=jump)
    first = start(store=Store() if has_store else None)
    assert job_of(start(again=first)) == job_of(first)
    cortex_emulator.faults.clear()
    assert job_of(start(again=first)) == job_of(first)
    assert ids(cortex_emulator) == [job_of(first)]


@pytest.mark.parametrize(
    "end", [";", " -- weekly", " // all", "; -- weekly", " /* mine */", "\n"], ids=repr
)
def test_ends_of_a_query(end: str, start: Start, cortex_emulator: Emulator) -> None:
    """However the query ends, its job is known again."""
    first = start({"training_data": QUERY + end})
    assert job_of(start({"training_data": QUERY + end}, again=first)) == job_of(first)


def test_comment_in_another_form(start: Start, cortex_emulator: Emulator) -> None:
    """Cortex may return the query with other blanks and a semicolon: the comment is still known."""
    first = start()
    ((job, _state),) = cortex_emulator.jobs.all()
    changed = job.training_data.replace("/* ", "/*\n").replace(" */", "*/ ;\n")
    cortex_emulator.faults.add("record", set={"training_data": changed})
    assert job_of(start(again=first)) == job_of(first)


def test_a_comment_that_does_not_come_back(
    start: Start, cortex_emulator: Emulator, log_lines: Callable[[], list[str]]
) -> None:
    """If Cortex drops the comment, that is said when the job is new: once, and the job is not lost."""
    cortex_emulator.faults.add("record", set={"training_data": QUERY})
    assert job_of(start()) == ids(cortex_emulator)[0]
    lines = [line for line in log_lines() if "did not return the comment" in line]
    assert len(lines) == 1
    assert ids(cortex_emulator)[0] in lines[0]


def test_a_new_job_that_cannot_be_described(
    start: Start, cortex_emulator: Emulator, log_lines: Callable[[], list[str]]
) -> None:
    """Trouble after CREATE does not lose the job."""
    cortex_emulator.faults.add("error", at="describe", sqlstate="XX000", code=603)
    assert job_of(start()) == ids(cortex_emulator)[0]
    assert any("cannot be described yet" in line for line in log_lines())


def test_what_has_changed_is_named(
    start: Start, cortex_emulator: Emulator, log_lines: Callable[[], list[str]]
) -> None:
    """A task that asks for something else by now has its own job all the same, and is warned of what differs."""
    first = start()
    changes = {"training_data": OTHER, "options": {"max_epochs": 5}}
    assert job_of(start(changes, again=first)) == job_of(first)
    (warning,) = [line for line in log_lines() if "was started with another" in line]
    assert "training_data and options" in warning
    assert 'if_exists="create"' in warning


def test_another_model(start: Start, cortex_emulator: Emulator) -> None:
    """A task that asks for a model of another name by now gets that."""
    first = start()
    assert job_of(start({"model": "bulbs"}, again=first)) != job_of(first)


def test_dataset_without_a_store(
    start: Start, cortex_emulator: Emulator, log_lines: Callable[[], list[str]]
) -> None:
    """Data that is no query cannot carry a comment, so without a store nothing is adopted."""
    data = {"training_data": DATASET, "validation_data": None, "validate": False}
    cortex_emulator.faults.add("record", set={"status": "IN_PROGRESS"}, remove=["error"])
    first = start(data)
    assert cortex_emulator.jobs.all()[0][0].training_data == DATASET
    assert job_of(start(data, again=first)) != job_of(first)
    assert not any("did not return the comment" in line for line in log_lines())


def test_dataset_with_a_store(start: Start, cortex_emulator: Emulator) -> None:
    """With a store it is."""
    data = {"training_data": DATASET, "validation_data": None, "validate": False}
    cortex_emulator.faults.add("record", set={"status": "IN_PROGRESS"}, remove=["error"])
    first = start(data, store=Store())
    assert job_of(start(data, again=first)) == job_of(first)
    assert len(ids(cortex_emulator)) == 1


def test_if_exists_fail(start: Start, cortex_emulator: Emulator) -> None:
    """With "fail" the task fails for good, and names the job."""
    first = start()
    second = start({"if_exists": "fail"}, again=first)
    assert second.state == "failed"
    assert job_of(first) in str(second.error)
    assert len(ids(cortex_emulator)) == 1


def test_if_exists_create(start: Start, cortex_emulator: Emulator) -> None:
    """With "create" each try starts a job, without asking for others."""
    first = start()
    start({"if_exists": "create"}, again=first)
    assert len(ids(cortex_emulator)) == 2


@pytest.mark.parametrize("word", ["replace", "", True, 1])
def test_if_exists_is_one_of_three(word: Any) -> None:
    """Any other word is refused when the DAG is parsed."""
    with pytest.raises(ValueError, match="if_exists must be one of adopt, create, fail, not "):
        CortexFineTuneOperator(task_id="start", **REQUEST, if_exists=word)


@pytest.mark.parametrize(("word", "jobs"), [("create", 2), (" adopt\n", 1), ("adopt", 1)])
def test_if_exists_by_the_run(
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
def test_if_exists_that_renders_to_something_else(
    word: Any, start: Start, cortex_emulator: Emulator, worker: Worker
) -> None:
    """What a template renders to is refused by name, before anything is sent."""

    def make() -> CortexFineTuneOperator:
        task = CortexFineTuneOperator(task_id="start", **REQUEST, if_exists="{{ x }}")
        task.if_exists = word
        return task

    result = worker.run(make)
    assert result.state == "failed"
    assert str(result.error).startswith("if_exists must be ")
    assert cortex_emulator.logins == 0


@pytest.mark.parametrize("noted", [{}, None, 7, {"finetune_job_id": None}])
def test_store_that_says_nothing(noted: object, start: Start, cortex_emulator: Emulator) -> None:
    """A note that nobody here wrote is none."""
    store = Store()
    first = start(store=store)
    (key,) = store
    assert store[key] == job_of(first)
    store[key] = noted
    assert job_of(start(again=first)) == job_of(first)  # by its comment
    assert len(ids(cortex_emulator)) == 1


def test_store_is_asked_at_each_try(start: Start, cortex_emulator: Emulator) -> None:
    """What the store has is this task's, whatever number the try has."""
    store = Store()
    first = start(store=store)
    before = len(cortex_emulator.statements)
    assert job_of(start(again=first, try_number=1)) == job_of(first)
    assert len(cortex_emulator.statements) == before + 1


def test_store_out_of_order(start: Start, log_lines: Callable[[], list[str]]) -> None:
    """Whatever is wrong with the store, the job is started, and known by its comment."""

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
def test_job_that_was_collected(has_store: bool, start: Start, cortex_emulator: Emulator) -> None:
    """Snowflake collects old jobs: what nobody can describe any more is not adopted."""
    first = start(store=Store() if has_store else None)
    cortex_emulator.faults.add("vanish", job_id=job_of(first))
    assert job_of(start(again=first)) != job_of(first)


def test_one_of_several_is_gone(start: Start, cortex_emulator: Emulator) -> None:
    """A job that SHOW still lists and DESCRIBE refuses is no reason to pay for another one."""
    first = start()
    others = [create() for _ in range(5)]
    for job_id in others[1], others[4]:
        cortex_emulator.faults.add("vanish", job_id=job_id)
    assert start(again=first).xcoms == first.xcoms


def test_many_jobs_in_several_statements(
    start: Start, cortex_emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The newest jobs are described first, so many at once, and no more than it takes."""
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


def test_unreadable_jobs(
    start: Start, cortex_emulator: Emulator, log_lines: Callable[[], list[str]]
) -> None:
    """A job that nobody can read is not adopted, and that is said; the others still are."""
    first = start()
    broken = create()
    cortex_emulator.faults.add("unreadable", text="?", job_id=broken)
    assert job_of(start(again=first)) == job_of(first)
    assert any("Not reusing fine-tuning job" in line for line in log_lines())


def test_snowflake_is_away(start: Start, cortex_emulator: Emulator) -> None:
    """As long as nobody can tell whether the job is there, none is started."""
    first = start()
    cortex_emulator.faults.add("error", sqlstate="XX000", code=603)
    assert start(again=first).state == "up_for_retry"
    assert len(ids(cortex_emulator)) == 1


def test_a_job_that_cannot_be_read_for_now(start: Start, cortex_emulator: Emulator) -> None:
    """A job that the store proves to be there is waited for, if nobody can read what it says."""
    first = start(store=Store())
    cortex_emulator.jobs.answer(job_of(first), "?", looks=1)
    second = start(again=first)
    assert second.state == "up_for_retry"
    assert job_of(start(again=second)) == job_of(first)
    assert len(ids(cortex_emulator)) == 1


def test_two_runs_that_overlap(start: Start, cortex_emulator: Emulator) -> None:
    """Two runs whose workers die after CREATE each find their own job, in whatever order they come back."""
    hour = timedelta(hours=1)
    runs = [
        start(run_id=f"weekly_{n}", map_index=n % 2, start_date=datetime.now(tz=UTC) - hour)
        for n in range(4)
    ]
    again = [start(again=run) for run in reversed(runs)]
    assert [job_of(run) for run in again] == [job_of(run) for run in reversed(runs)]
    assert len(set(ids(cortex_emulator))) == 4
