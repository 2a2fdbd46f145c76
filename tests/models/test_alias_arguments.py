"""Models that are asked by their alias."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from airflow_provider_cortex.cortex.sql import Call
from airflow_provider_cortex.emulator import Emulator, Life
from airflow_provider_cortex.hooks import CortexHook
from airflow_provider_cortex.operators import (
    CortexCompleteOperator,
    CortexCompleteTableOperator,
    CortexPromoteModelOperator,
)
from tests.account import execute
from tests.answer_table.signals import dying_before_the_last_statement, prompted
from tests.tasks import in_dag
from tests.worker import SLEEP, Result, Worker

OLD, NEW = "CORTEX_DB.PUBLIC.triage", "CORTEX_DB.PUBLIC.triage_1"

IN_BOTH_WAYS = pytest.mark.parametrize("deferrable", [False, True], ids=["worker", "deferred"])


@pytest.fixture(autouse=True)
def models(connection: str, cortex_emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have two versions of a model, which answer differently, and a table to answer."""
    monkeypatch.setattr(SLEEP, lambda _: None)
    for answer in "old", "new":
        cortex_emulator.jobs.add(model=OLD, pairs=(("parcel", answer),), life=Life.at_once())
    execute(cortex_emulator, "CREATE TABLE tickets AS SELECT 'parcel' AS body")


@pytest.fixture
def promote(models: None, worker: Worker) -> Callable[..., None]:
    """Let an alias stand for a model."""

    def promote(model: str = OLD, alias: str = "best") -> None:
        task = lambda: CortexPromoteModelOperator(task_id="promote", model=model, alias=alias)  # noqa: E731
        assert worker.run(task).state == "success"

    return promote


@pytest.fixture
def hook() -> Iterator[CortexHook]:
    """Provide a session."""
    with CortexHook() as hook:
        yield hook


def ask(worker: Worker, **changes: Any) -> Result:
    """Ask the alias."""
    arguments: dict[str, Any] = {"task_id": "ask", "alias": "best", "prompt": "parcel"} | changes
    return worker.run(lambda: CortexCompleteOperator(**arguments))


def table(**changes: Any) -> CortexCompleteTableOperator:
    """Return a task that answers the table."""
    arguments: dict[str, Any] = {"task_id": "answer", "alias": "best", "source": "tickets"}
    arguments |= {"destination": "answers", "prompt_column": "body"}
    return CortexCompleteTableOperator(**arguments | changes)


def answers(emulator: Emulator) -> list[tuple[Any, ...]]:
    """Return the answers in the destination."""
    return execute(emulator, "SELECT answer FROM answers")


def test_an_alias_is_asked_as_its_model(
    promote: Callable[..., None], cortex_emulator: Emulator, worker: Worker
) -> None:
    """With usage and parameters; one more statement finds the model, which is an XCom."""
    promote()
    promote(NEW)
    before = len(cortex_emulator.statements)
    result = ask(worker, alias="Cortex_db.public.BEST", model_parameters={"temperature": 0})
    assert result.xcoms["return_value"] == "new"
    assert result.xcoms["model"] == NEW
    assert result.xcoms["usage"]["total_tokens"] > 0
    shown, asked = [statement.sql for statement in cortex_emulator.statements[before:]]
    assert shown.startswith("SHOW USER FUNCTIONS LIKE ")
    assert f"AI_COMPLETE(model => '{NEW}', " in asked


def test_without_xcoms_none_is_pushed(promote: Callable[..., None], worker: Worker) -> None:
    """As for every other XCom."""
    promote()
    assert set(ask(worker, do_xcom_push=False).xcoms) <= {"return_value"}


def test_a_template_may_name_the_alias(promote: Callable[..., None], worker: Worker) -> None:
    """One that renders to nothing is rejected by its name."""
    promote()
    make = lambda: CortexCompleteOperator(task_id="ask", alias="{{ best }}", prompt="parcel")  # noqa: E731
    assert worker.run(lambda: in_dag(make, best="best")).xcoms["return_value"] == "old"
    result = worker.run(lambda: in_dag(make, best=None))
    assert result.state == "failed"
    assert "alias must be non-empty text; got 'None' from '{{ best }}'" in str(result.error)


def test_an_alias_is_in_one_schema(
    promote: Callable[..., None], hook: CortexHook, worker: Worker
) -> None:
    """The task's, unless its name says another one."""
    hook.run_once(Call("CREATE SCHEMA cortex_db.apps", ()), about="test")
    promote(OLD)
    promote(NEW, "cortex_db.apps.best")
    assert ask(worker, schema="apps").xcoms["return_value"] == "new"
    assert ask(worker).xcoms["return_value"] == "old"


def test_an_unknown_alias_fails_the_task(
    promote: Callable[..., None], cortex_emulator: Emulator, hook: CortexHook, worker: Worker
) -> None:
    """So does a function that is none of this package's: nothing is asked."""
    promote(alias='"Best"')
    sql = "CREATE FUNCTION foreign_one(p VARCHAR) RETURNS VARCHAR AS 'p'"
    hook.run_once(Call(sql, ()), about="test")
    for run in (
        lambda alias: ask(worker, alias=alias),
        lambda alias: worker.run(lambda: table(alias=alias)),
    ):
        for alias, message in (
            ("best", "alias best does not exist, or the role may not use it."),
            ("foreign_one", "alias foreign_one is a function that CortexPromoteModelOperator"),
            ("b-c", "alias must be an identifier"),
        ):
            result = run(alias)
            assert result.state == "failed"
            assert message in str(result.error)
    assert not [s for s in cortex_emulator.statements if "AI_COMPLETE(model" in s.sql]


@pytest.mark.parametrize("given", [{}, {"model": OLD, "alias": "best"}])
def test_either_a_model_or_an_alias_is_given(given: dict[str, Any]) -> None:
    """Checked when the DAG is parsed."""
    with pytest.raises(ValueError, match="either model or alias, and not both"):
        CortexCompleteOperator(task_id="ask", prompt="parcel", **given)
    with pytest.raises(ValueError, match="either model or alias, and not both"):
        table(**{"alias": None} | given)


@IN_BOTH_WAYS
def test_a_table_is_answered_by_alias(
    deferrable: bool, promote: Callable[..., None], cortex_emulator: Emulator, worker: Worker
) -> None:
    """On the worker, and from the triggerer."""
    promote(NEW)
    cortex_emulator.query_life = Life.by_looks(1)
    result = worker.run(lambda: table(deferrable=deferrable))
    assert result.xcoms["return_value"]["rows"] == 1
    assert result.xcoms["model"] == NEW
    assert result.deferrals == deferrable
    assert answers(cortex_emulator) == [("new",)]


def test_an_alias_that_changes_meanwhile_changes_nothing(
    promote: Callable[..., None], cortex_emulator: Emulator, worker: Worker
) -> None:
    """A deferred task keeps the model that it has asked, and finds its answers."""
    promote(OLD)
    cortex_emulator.query_life = Life.by_looks(1)

    def promoting(event: object) -> object:
        promote(NEW)
        return event

    deferred = Worker()
    deferred.event = staticmethod(promoting)
    result = deferred.run(lambda: table(deferrable=True), run_id="weekly")
    assert result.state == "success"
    assert (prompted(cortex_emulator), answers(cortex_emulator)) == (1, [("old",)])


@IN_BOTH_WAYS
@pytest.mark.parametrize("changed", [False, True])
def test_a_retry_pays_again_only_for_another_model(
    changed: bool,
    deferrable: bool,
    promote: Callable[..., None],
    cortex_emulator: Emulator,
    worker: Worker,
) -> None:
    """Its staging table belongs to the model that the alias stood for."""
    promote(OLD)
    with dying_before_the_last_statement():
        first = worker.run(lambda: table(deferrable=deferrable), store=None)
    if changed:
        promote(NEW)
    second = worker.run(lambda: table(deferrable=deferrable), again=first)
    assert second.state == "success"
    assert prompted(cortex_emulator) == 1 + changed
    assert answers(cortex_emulator) == [("new" if changed else "old",)]
