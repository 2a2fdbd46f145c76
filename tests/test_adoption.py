"""Once means once: whatever becomes of the task that started a job, nobody pays for a second one."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow_provider_cortex.emulator import Emulator, Life
from airflow_provider_cortex.hooks import CortexHook
from airflow_provider_cortex.operators import CortexFineTuneOperator
from tests.worker import Result, Store, Worker, dag_run

QUERY = "SELECT 'red' AS prompt, 'stop' AS completion"
OTHER = "SELECT 'green' AS prompt, 'go' AS completion"
REQUEST: dict[str, Any] = {
    "model": "lights",
    "base_model": "llama3.1-8b",
    "training_data": QUERY,
    "validation_data": OTHER,
    "options": {"max_epochs": 3},
}

Start = Callable[..., Result]


@pytest.fixture
def start(connection: str, cortex_emulator: Emulator, worker: Worker) -> Start:
    """Run the operator that starts a job, which takes its time."""
    cortex_emulator.life = Life.by_time(3600)

    def run(changes: dict[str, Any] | None = None, **facts: Any) -> Result:
        arguments = REQUEST | (changes or {})
        if "again" not in facts:
            facts.setdefault("store", None)  # which only Airflow 3.3 has
            facts.setdefault("dag_run", dag_run(datetime.now(tz=UTC) - timedelta(hours=1)))
        return worker.run(lambda: CortexFineTuneOperator(task_id="start", **arguments), **facts)

    return run


def create(**changes: Any) -> str:
    """Start a job, as somebody else would."""
    with CortexHook() as hook:
        return hook.create(**REQUEST | changes)


def ids(emulator: Emulator) -> list[str]:
    """Return the jobs there are."""
    return [job.id for job, _ in emulator.jobs.all()]


def test_next_try_adopts(
    start: Start, cortex_emulator: Emulator, log_lines: Callable[[], list[str]]
) -> None:
    """A retry, or a cleared task, returns the job that is there, and says so."""
    first = start()
    second = start(again=first)
    assert ids(cortex_emulator) == [first.xcoms["return_value"]] == [second.xcoms["return_value"]]
    assert any("Adopted fine-tuning job ft_" in line for line in log_lines())


def test_answer_that_was_lost(start: Start, cortex_emulator: Emulator) -> None:
    """If the answer to CREATE does not arrive, the retry finds the job."""
    with CortexHook() as hook:  # what comes before CREATE is a login and two statements
        hook.show()
    cortex_emulator.faults.add("reset", at="statement", requests=1)
    first = start({"if_exists": "create", "validate": False})
    assert first.state == "up_for_retry"
    second = start(again=first)
    assert ids(cortex_emulator) == [second.xcoms["return_value"]]


def test_job_that_is_done(start: Start, cortex_emulator: Emulator) -> None:
    """A task that is cleared when its job has succeeded does not pay again, either."""
    cortex_emulator.life = Life.at_once()
    first = start()
    with CortexHook() as hook:
        assert hook.describe(first.xcoms["return_value"]).outcome() == "CORTEX_DB.PUBLIC.lights"
    assert start(again=first).xcoms == first.xcoms


@pytest.mark.parametrize("end", ["fail", "cancel"])
def test_job_that_is_lost(end: str, start: Start, cortex_emulator: Emulator) -> None:
    """A job that failed or was cancelled is of no use: the retry starts another one."""
    first = start()
    getattr(cortex_emulator.jobs, end)(first.xcoms["return_value"])
    second = start(again=first)
    assert ids(cortex_emulator) == [r.xcoms["return_value"] for r in (first, second)]


@pytest.mark.parametrize(
    "changes",
    [
        {"base_model": "mistral-7b"},
        {"training_data": OTHER},
        {"validation_data": None},
        {"options": {"max_epochs": 2}},
    ],
)
def test_another_job(changes: dict[str, Any], start: Start, cortex_emulator: Emulator) -> None:
    """What was not asked for is not adopted."""
    other = create(**changes)
    assert start(try_number=2).xcoms["return_value"] != other
    same = create()
    cortex_emulator.jobs.fail(ids(cortex_emulator)[1])
    assert start(try_number=2).xcoms["return_value"] == same


def test_another_model(start: Start, cortex_emulator: Emulator) -> None:
    """A job that has made a model of another name is not adopted; a suffix is Cortex's own."""
    cortex_emulator.life = Life.at_once()
    create(model="bulbs")
    suffixed = create(model='"CORTEX_DB".public.LIGHTS_2')
    assert start(try_number=2).xcoms["return_value"] == suffixed


def test_job_of_an_earlier_run(start: Start, cortex_emulator: Emulator) -> None:
    """The same request of last week is last week's."""
    create()
    a_moment_later = datetime.now(tz=UTC) + timedelta(milliseconds=1)
    start(try_number=2, dag_run=dag_run(a_moment_later))
    assert len(ids(cortex_emulator)) == 2


@pytest.mark.parametrize("run_type", ["scheduled", "manual"])
def test_cleared_run(run_type: str, start: Start, cortex_emulator: Emulator) -> None:
    """Airflow forgets when a run began that is cleared: then it counts when it was due."""
    due = datetime.now(tz=UTC)
    job_id = create()
    cleared = dag_run(due, run_type=run_type, start_date=due + timedelta(days=1), clear_number=1)
    if run_type == "manual":
        cleared.logical_date = due
    assert start(try_number=2, dag_run=cleared).xcoms["return_value"] == job_id


def test_words_that_say_nothing(start: Start, cortex_emulator: Emulator) -> None:
    """A semicolon and blanks around the query make no other query of it."""
    first = start({"training_data": f"\n{QUERY} ;\n"})
    assert start(again=first).xcoms == first.xcoms
    assert len(ids(cortex_emulator)) == 1


def test_if_exists_fail(start: Start, cortex_emulator: Emulator) -> None:
    """With "fail" the task fails for good, and names the job."""
    first = start()
    second = start({"if_exists": "fail"}, again=first)
    assert second.state == "failed"
    assert first.xcoms["return_value"] in str(second.error)
    assert len(ids(cortex_emulator)) == 1


def test_if_exists_create(start: Start, cortex_emulator: Emulator) -> None:
    """With "create" each try starts a job, without asking for others."""
    first = start()
    start({"if_exists": "create"}, again=first)
    assert len(ids(cortex_emulator)) == 2


def test_if_exists_is_one_of_three() -> None:
    """Any other word is refused when the DAG is parsed."""
    with pytest.raises(ValueError, match="adopt, create, fail, not 'replace'"):
        CortexFineTuneOperator(task_id="start", **REQUEST, if_exists="replace")  # type: ignore[arg-type]


def test_siblings(start: Start, cortex_emulator: Emulator) -> None:
    """Mapped tasks that ask for the same under different names each have their own job."""
    first = start({"model": "a"}, map_index=0)
    second = start({"model": "b"}, map_index=1)
    assert len(set(ids(cortex_emulator))) == 2
    # The second's worker died before it could tell; the first has told.
    told = {"start": [first.xcoms["return_value"]]}
    again = start({"model": "b"}, again=second, returned=told)
    assert again.xcoms == second.xcoms


@pytest.mark.parametrize("hint", [{}, {"finetune_job_id": None}])
def test_store_that_says_nothing(
    hint: dict[str, Any], start: Start, cortex_emulator: Emulator
) -> None:
    """A note that nobody here wrote is none."""
    store = Store(finetune_request=hint)
    first = start(store=store)
    assert store["finetune_request"]["finetune_job_id"] == first.xcoms["return_value"]


def test_store(start: Start, cortex_emulator: Emulator) -> None:
    """Where Airflow keeps what a task notes, the job noted is preferred to one that looks the same."""
    store = Store()
    began = datetime.now(tz=UTC)
    twin = create()
    first = start({"if_exists": "create"}, store=store, dag_run=dag_run(began))
    second = start(again=first, map_index=0, try_number=1)
    assert second.xcoms == first.xcoms
    assert twin in ids(cortex_emulator)


def test_store_has_the_intent(start: Start, cortex_emulator: Emulator) -> None:
    """A note from before CREATE bars what was there before it."""
    hour = timedelta(hours=1)
    began = datetime.now(tz=UTC) - hour
    create()
    store = Store(
        finetune_request={"since": (began + 2 * hour).timestamp(), "finetune_job_id": None}
    )
    start(store=store, dag_run=dag_run(began), try_number=2)
    assert len(ids(cortex_emulator)) == 2


def test_store_out_of_order(start: Start, log_lines: Callable[[], list[str]]) -> None:
    """Whatever is wrong with the store, the job is started."""

    class Broken(Store):
        def get(self, *_: Any) -> Any:
            raise OSError("no store")

        def set(self, *_: Any) -> None:
            raise OSError("no store")

    assert start(store=Broken()).state == "success"
    assert any("cannot be written" in line for line in log_lines())


def test_one_of_several_is_gone(start: Start, cortex_emulator: Emulator) -> None:
    """A job that SHOW still lists and DESCRIBE refuses is no reason to pay for another one."""
    first = start()
    twin = create()
    cortex_emulator.faults.add("vanish", job_id=twin)
    assert start(again=first).xcoms == first.xcoms


@pytest.mark.parametrize(
    ("kind", "parameters"),
    [("record", {"remove": ["training_data"]}), ("unreadable", {"text": "?"})],
)
def test_job_that_tells_too_little(
    kind: str,
    parameters: dict[str, Any],
    start: Start,
    cortex_emulator: Emulator,
    log_lines: Callable[[], list[str]],
) -> None:
    """A job whose data Cortex does not tell is not adopted, and that is said."""
    first = start()
    cortex_emulator.faults.add(kind, **parameters)
    start(again=first)
    assert len(ids(cortex_emulator)) == 2
    assert any("dopted" in line for line in log_lines())


def test_snowflake_is_away(start: Start, cortex_emulator: Emulator) -> None:
    """As long as nobody can tell whether the job is there, none is started."""
    first = start()
    cortex_emulator.faults.add("error", sqlstate="XX000", code=603)
    assert start(again=first).state == "up_for_retry"
    assert len(ids(cortex_emulator)) == 1
