"""The operator that drops a model's older versions."""

from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_cortex.cortex.sql import Call
from airflow_provider_cortex.emulator import Emulator, Life
from airflow_provider_cortex.hooks import CortexHook
from airflow_provider_cortex.operators import (
    CortexDropModelsOperator,
    CortexPromoteModelOperator,
)
from tests.answer_table.signals import fail_after
from tests.tasks import in_dag
from tests.worker import Result, Worker

SCHEMA = "CORTEX_DB.PUBLIC"

NEWEST = {
    f"{SCHEMA}.TICKETS_4": "one of the newest 2",
    f"{SCHEMA}.TICKETS_3": "one of the newest 2",
}
OLDEST = [f"{SCHEMA}.TICKETS", f"{SCHEMA}.TICKETS_1", f"{SCHEMA}.TICKETS_2"]


def add(emulator: Emulator, *names: str) -> None:
    """Train models by these names, each a day after the other."""
    for day, name in enumerate(names):
        emulator.faults.add("clock", jump=86_400.0 * day)
        emulator.jobs.add(model=name)
        emulator.jobs.models()  # a job ends at the first look
        emulator.faults.clear()


@pytest.fixture
def tickets(connection: str, cortex_emulator: Emulator) -> Emulator:
    """Have five versions of a model, and models that only look alike."""
    others = "TICKETS_NEW", "MY_TICKETS", '"tickets"', "TICKETSX1", "TICKETS_NEW"
    names = [f"{SCHEMA}.{name}" for name in (*["tickets"] * 5, *others)]
    add(cortex_emulator, *names, "CORTEX_DB.OTHER.tickets", "OTHER.PUBLIC.TICKETS_1")
    return cortex_emulator


def operator(**changes: Any) -> CortexDropModelsOperator:
    """Return a task that keeps two versions."""
    arguments: dict[str, Any] = {"task_id": "drop", "model": "tickets", "keep": 2} | changes
    return CortexDropModelsOperator(**arguments)


def drop(worker: Worker, again: Result | None = None, **changes: Any) -> Result:
    """Run the task."""
    return worker.run(lambda: operator(**changes), again=again)


def left(emulator: Emulator) -> set[str]:
    """Return the names of all models."""
    return {".".join(key) for key in emulator.jobs.models()}


def promote(worker: Worker, model: str, alias: str = "best") -> None:
    """Let an alias stand for a model."""
    make = lambda: CortexPromoteModelOperator(task_id="promote", model=model, alias=alias)  # noqa: E731
    assert worker.run(make).state == "success"


def test_older_versions_are_dropped(tickets: Emulator, worker: Worker) -> None:
    """The newest stay, and so does every other model; the XCom says why."""
    before = left(tickets)
    result = drop(worker)
    assert result.xcoms == {"return_value": {"dropped": OLDEST, "kept": NEWEST, "dry_run": False}}
    assert left(tickets) == before - set(OLDEST)
    # As the operator that started the jobs may have got the name.
    assert drop(worker, model="@tickets").xcoms["return_value"]["kept"] == NEWEST


def test_a_second_run_is_quiet(tickets: Emulator, worker: Worker) -> None:
    """It finds nothing to drop, and succeeds."""
    drop(worker)
    after = left(tickets)
    result = drop(worker)
    assert result.xcoms["return_value"] == {"dropped": [], "kept": NEWEST, "dry_run": False}
    assert left(tickets) == after
    assert drop(worker, model="never_trained").xcoms["return_value"]["kept"] == {}


def test_a_dry_run_only_lists(tickets: Emulator, worker: Worker) -> None:
    """The XCom is the same, except that it says so."""
    before = left(tickets)
    result = drop(worker, dry_run=True)
    assert result.xcoms["return_value"] == {"dropped": OLDEST, "kept": NEWEST, "dry_run": True}
    assert left(tickets) == before
    assert not [statement for statement in tickets.statements if "DROP" in statement.sql]


def test_a_promoted_model_is_kept(tickets: Emulator, worker: Worker) -> None:
    """By whichever alias, in whichever schema; a replaced one no longer protects its model."""
    with CortexHook() as hook:
        hook.run("CREATE SCHEMA cortex_db.apps")
    promote(worker, f"{SCHEMA}.tickets")
    promote(worker, f"{SCHEMA}.tickets_1")
    promote(worker, f"{SCHEMA}.tickets_2", alias='cortex_db.apps."Old one"')
    assert drop(worker).xcoms["return_value"] == {
        "dropped": [f"{SCHEMA}.TICKETS"],
        "kept": {
            **NEWEST,
            f"{SCHEMA}.TICKETS_2": 'in use as CORTEX_DB.APPS."Old one"',
            f"{SCHEMA}.TICKETS_1": "in use as CORTEX_DB.PUBLIC.BEST",
        },
        "dry_run": False,
    }


def test_a_function_of_others_protects_nothing(tickets: Emulator, worker: Worker) -> None:
    """Only the comment of an alias says which model is in use."""
    with CortexHook() as hook:
        hook.run("CREATE FUNCTION f(p VARCHAR) RETURNS VARCHAR AS $$ AI_COMPLETE('tickets', p) $$")
    assert drop(worker).xcoms["return_value"]["dropped"] == OLDEST


def test_a_model_that_a_running_statement_names_is_kept(tickets: Emulator, worker: Worker) -> None:
    """Such as the answers of a table, which another task waits for; in any case of letters."""
    tickets.query_life = Life.by_time(3600)
    with CortexHook() as hook:
        sql = f"CREATE TABLE a AS SELECT AI_COMPLETE('{OLDEST[0].lower()}', 'Hello') AS answer"
        query_id = hook.submit(Call(sql, ()), about="answer")
        result = drop(worker).xcoms["return_value"]
        assert result["kept"][OLDEST[0]] == "a running statement uses it"
        assert result["dropped"] == OLDEST[1:]
        hook.cancel_query(query_id)
    assert drop(worker).xcoms["return_value"]["dropped"] == OLDEST[:1]


@pytest.mark.parametrize("listed", [0, 1, 2], ids=["models", "aliases", "statements"])
def test_nothing_is_dropped_if_a_list_is_missing(
    listed: int, tickets: Emulator, worker: Worker
) -> None:
    """Not knowing what is in use, the task fails; a retry may drop the models."""
    before = left(tickets)
    fail_after(listed, tickets, "error")
    failed = drop(worker)
    assert failed.state == "up_for_retry"
    assert left(tickets) == before
    assert drop(worker, again=failed).xcoms["return_value"]["dropped"] == OLDEST


def test_one_failure_does_not_stop_the_others(tickets: Emulator, worker: Worker) -> None:
    """The task fails at its end and names the model; a retry drops the rest."""
    fail_after(4, tickets, "error")
    failed = drop(worker)
    assert failed.state == "up_for_retry"
    assert f"1 of 3 models were not dropped: {OLDEST[1]}. " in str(failed.error)
    assert left(tickets) & set(OLDEST) == {OLDEST[1]}
    assert drop(worker, again=failed).xcoms["return_value"]["dropped"] == [OLDEST[1]]


def test_a_permanent_failure_is_not_retried(tickets: Emulator, worker: Worker) -> None:
    """Such as one for a lack of OWNERSHIP: a retry would meet it again."""
    tickets.faults.add("slow", delay=0, requests=3)
    tickets.faults.add("error", code=3001, sqlstate="42501", message="Insufficient privileges")
    failed = drop(worker)
    assert failed.state == "failed"
    assert f"3 of 3 models were not dropped: {', '.join(OLDEST)}. " in str(failed.error)
    assert "Insufficient privileges" in str(failed.error)


def test_a_model_that_is_dropped_meanwhile_is_no_error(
    tickets: Emulator, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another task, or a person, may have dropped it after it was listed."""
    aliases = CortexHook.aliases

    def dropped_now(hook: CortexHook) -> Any:
        tickets.jobs.drop(OLDEST[0])
        return aliases(hook)

    monkeypatch.setattr(CortexHook, "aliases", dropped_now)
    assert drop(worker).state == "success"
    assert not left(tickets) & set(OLDEST)


def test_protected_models_are_kept(tickets: Emulator, worker: Worker) -> None:
    """In any form in which a template or an XCom delivers their names."""
    for protect in (
        "tickets_1",
        "@tickets_1",
        ["cortex_db.public.Tickets_1"],
        "['TICKETS_1', None, 'None', '']",
    ):
        result = drop(worker, protect=protect, dry_run=True).xcoms["return_value"]
        assert result["kept"][OLDEST[1]] == "protected", protect
        assert result["dropped"] == [OLDEST[0], OLDEST[2]]
    for nothing in None, "None", [None], "['llama3.1-8b']", "OTHER.PUBLIC.TICKETS_1":
        result = drop(worker, protect=nothing, dry_run=True).xcoms["return_value"]
        assert result["dropped"] == OLDEST, nothing


def test_names_may_need_quotes(connection: str, cortex_emulator: Emulator, worker: Worker) -> None:
    """They are filtered exactly, whatever LIKE matches, and no part of them acts as SQL."""
    name = r"it's \a_%"
    add(cortex_emulator, *[f'{SCHEMA}."{name}"'] * 2, f'{SCHEMA}."it\'s \\ab%_1"')
    result = drop(worker, model=f'"{name}"', keep=1)
    assert result.xcoms["return_value"]["dropped"] == [f'{SCHEMA}."{name}"']
    assert left(cortex_emulator) == {f"{SCHEMA}.{name}_1", SCHEMA + ".it's \\ab%_1"}


def test_a_name_may_have_a_number_of_its_own(
    connection: str, cortex_emulator: Emulator, worker: Worker
) -> None:
    """The versions of TICKETS_2 are its own, and none of them is a version of TICKETS."""
    add(cortex_emulator, *[f"{SCHEMA}.tickets_2"] * 3, f"{SCHEMA}.tickets_1")
    result = drop(worker, model="tickets_2", keep=1)
    assert result.xcoms["return_value"]["kept"] == {f"{SCHEMA}.TICKETS_2_2": "the newest"}
    assert left(cortex_emulator) == {f"{SCHEMA}.TICKETS_2_2", f"{SCHEMA}.TICKETS_1"}


def test_the_newest_is_known_by_its_age(
    connection: str, cortex_emulator: Emulator, worker: Worker
) -> None:
    """A name that became free is used again: then the one without a suffix is the newest."""
    add(cortex_emulator, *["CORTEX_DB.PUBLIC.tickets"] * 3)
    cortex_emulator.jobs.drop("CORTEX_DB.PUBLIC.tickets")
    cortex_emulator.faults.add("clock", jump=864_000.0)
    cortex_emulator.jobs.add(model="CORTEX_DB.PUBLIC.tickets")
    cortex_emulator.jobs.models()
    cortex_emulator.faults.clear()
    drop(worker, keep=1)
    assert left(cortex_emulator) == {"CORTEX_DB.PUBLIC.TICKETS"}


@pytest.mark.parametrize("keep", ["{{ n }}", "3"])
def test_how_many_to_keep_may_be_a_template(keep: str, tickets: Emulator, worker: Worker) -> None:
    """Rendered, it is text."""
    result = worker.run(lambda: in_dag(lambda: operator(keep=keep), n=3))
    assert result.xcoms["return_value"]["dropped"] == OLDEST[:2]


@pytest.mark.parametrize("keep", [0, -1, 1.5, True, "0", "many", float("inf"), float("nan")])
def test_at_least_one_version_is_kept(keep: Any) -> None:
    """Anything else is rejected when the DAG is parsed."""
    with pytest.raises(ValueError, match="keep must be a whole number, at least 1; got"):
        operator(keep=keep)


INVALID = [
    ("keep", "{{ n }}", "keep must be a whole number, at least 1"),
    ("model", "my-model", "model must be an identifier"),
    ("model", "a.b.c.d", "model must be an identifier"),
    ("model", "{{ n }}", "model must be non-empty text"),
    ("protect", "[1, {'a': 1, 'b': 2}]", "protect must be one value"),
]


def test_invalid_arguments_are_rejected_before_the_login(
    connection: str, cortex_emulator: Emulator, worker: Worker
) -> None:
    """By their names, and not retried."""
    for argument, value, message in INVALID:
        changes = {argument: value}
        result = worker.run(lambda: in_dag(lambda: operator(**changes), n=None))  # noqa: B023
        assert result.state == "failed", value
        assert message in str(result.error)
    assert cortex_emulator.logins == 0


def test_the_log_has_a_line_for_each_model(
    tickets: Emulator, worker: Worker, log_lines: Callable[[], list[str]]
) -> None:
    """With the reason why it is kept."""
    drop(worker, dry_run=True)
    drop(worker)
    lines = log_lines()
    for what in "Would drop", "Dropped":
        for name in OLDEST:
            assert sum(f"{what} model {name} " in f"{line} " for line in lines) == 1, name
    for name, reason in NEWEST.items():
        assert sum(f"Keeping model {name}: {reason}" in line for line in lines) == 2


def test_a_killed_task_drops_nothing(tickets: Emulator, worker: Worker) -> None:
    """Airflow 3 lets its code run on for a while."""
    before = left(tickets)

    def killed() -> CortexDropModelsOperator:
        task = operator()
        task.on_kill()
        return task

    assert worker.run(killed).state == "up_for_retry"
    assert left(tickets) == before
