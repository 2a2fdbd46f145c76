"""The operator that gives a model a stable name."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from airflow_provider_cortex.cortex.sql import Call
from airflow_provider_cortex.emulator import Emulator
from airflow_provider_cortex.hooks import CortexHook
from airflow_provider_cortex.operators import CortexPromoteModelOperator
from tests.answer_table.signals import fail_after
from tests.tasks import in_dag
from tests.worker import Result, Worker

FIRST, SECOND = "CORTEX_DB.PUBLIC.triage", "CORTEX_DB.PUBLIC.triage_1"


@pytest.fixture
def models(connection: str, cortex_emulator: Emulator) -> None:
    """Have two versions of a model, and one with an odd name, which answer differently."""
    for name, answer in (
        (FIRST, "first"),
        (FIRST, "second"),
        ('CORTEX_DB.PUBLIC."$$ it\'s\\"', "odd"),
    ):
        cortex_emulator.jobs.add(model=name, pairs=(("parcel", answer),))


@pytest.fixture
def hook(models: None) -> Iterator[CortexHook]:
    with CortexHook() as hook:
        yield hook


def promotion(model: Any = FIRST, task_id: str = "promote", **changes: Any) -> Any:
    """Return the task."""
    arguments: dict[str, Any] = {"model": model, "alias": "best"} | changes
    return CortexPromoteModelOperator(task_id=task_id, **arguments)


def promote(
    worker: Worker, model: Any = FIRST, again: Result | None = None, **changes: Any
) -> Result:
    """Run the task."""
    return worker.run(lambda: promotion(model, **changes), again=again)


def rows(hook: CortexHook, sql: str) -> list[Any]:
    """Execute a statement in the test's session."""
    return hook.answer(Call(sql, ()), about="test").rows


def ask(hook: CortexHook, function: str = "best") -> Any:
    """Call the alias as any user would."""
    return rows(hook, f"SELECT {function}('parcel')")[0][0]


def roles(hook: CortexHook, what: str = "FUNCTION best(VARCHAR)") -> set[str]:
    """Return the roles that may use a function or a model."""
    return {row[5] for row in rows(hook, f"SHOW GRANTS ON {what}") if row[1] == "USAGE"}


def functions(hook: CortexHook) -> list[str]:
    """Return the names of all functions."""
    return [row[1] for row in rows(hook, "SHOW USER FUNCTIONS IN ACCOUNT")]


def test_an_alias_answers_as_the_model_in_use(hook: CortexHook, worker: Worker) -> None:
    """The task returns the model that was in use before; its XCom `model` is the new one."""
    first = promote(worker)
    assert (ask(hook), first.xcoms) == ("first", {"model": FIRST})
    second = promote(worker, SECOND)
    assert (ask(hook), second.xcoms) == ("second", {"model": SECOND, "return_value": FIRST})


def test_a_task_rolls_back_with_what_was_returned(hook: CortexHook, worker: Worker) -> None:
    """In the same run; then the new model is the one before."""
    promote(worker)
    new = promote(worker, SECOND)
    back = worker.run(
        lambda: in_dag(
            lambda: promotion("{{ before }}", "roll_back"), before=new.xcoms["return_value"]
        ),
        run_id=new.instance.run_id,
    )
    assert ask(hook) == "first"
    assert back.xcoms == {"model": FIRST, "return_value": SECOND}


def test_a_first_promotion_has_nothing_to_roll_back_to(hook: CortexHook, worker: Worker) -> None:
    """Then the task that would roll back fails, and says where its model should come from."""
    nothing = promote(worker).xcoms.get("return_value")
    make = lambda: in_dag(lambda: promotion("{{ before }}", "roll_back"), before=nothing)  # noqa: E731
    result = worker.run(make)
    assert result.state == "failed"
    assert "model must be non-empty text; got 'None' from '{{ before }}'" in str(result.error)
    assert ask(hook) == "first"


def test_a_base_model_may_be_promoted(hook: CortexHook, worker: Worker) -> None:
    """So one can return to it. It needs no grants of its own."""
    promote(worker)
    base = "llama3.1-8b"
    result = promote(worker, base, grant_usage_to="app")
    assert result.xcoms == {"model": base, "return_value": FIRST}
    assert hook.alias("best").model == base  # type: ignore[union-attr]
    assert roles(hook) == {"APP"}


def test_the_comment_names_model_job_and_task(hook: CortexHook, worker: Worker) -> None:
    """In JSON, for people and other tools."""
    promote(worker)
    result = promote(worker, SECOND, finetune_job_id=[("ft_1",)])
    (row,) = rows(hook, "SHOW USER FUNCTIONS LIKE 'BEST' IN SCHEMA cortex_db.public")
    assert json.loads(row[9]) == {
        "package": "airflow-provider-cortex",
        "alias_of": SECOND,
        "previous_model": FIRST,
        "finetune_job_id": "ft_1",
        "dag_id": "tickets",
        "task_id": "promote",
        "run_id": result.instance.run_id,
        "map_index": -1,
    }


def test_a_retry_returns_the_model_before_its_first_try(hook: CortexHook, worker: Worker) -> None:
    """A try may end after it has replaced the function, and before its XCom is kept."""
    promote(worker)
    lost = promote(worker, SECOND)
    retry = promote(worker, SECOND, again=lost)
    assert retry.xcoms == {"model": SECOND, "return_value": FIRST}
    assert (
        "return_value" not in promote(worker, alias="new", again=promote(worker, alias="new")).xcoms
    )


def test_a_failed_grant_is_made_by_the_retry(
    hook: CortexHook, cortex_emulator: Emulator, worker: Worker
) -> None:
    """The function has been replaced then, and the model before is not lost."""
    promote(worker)
    fail_after(4, cortex_emulator, "error")
    failed = promote(worker, SECOND, grant_usage_to="app")
    assert failed.state == "up_for_retry"
    assert (ask(hook), roles(hook)) == ("second", set())
    retry = promote(worker, SECOND, again=failed, grant_usage_to="app")
    assert retry.xcoms["return_value"] == FIRST
    assert roles(hook) == {"APP"}


def test_a_model_in_use_is_only_granted(
    hook: CortexHook, cortex_emulator: Emulator, worker: Worker
) -> None:
    """Another run finds it in use: it replaces nothing, and returns the model itself."""
    promote(worker)
    before = len(cortex_emulator.statements)
    result = promote(worker, "cortex_db.public.TRIAGE", grant_usage_to="app")
    assert result.xcoms["return_value"] == FIRST
    assert roles(hook, f"MODEL {FIRST}") == roles(hook) == {"APP"}
    assert not [s for s in cortex_emulator.statements[before:] if "CREATE" in s.sql]


def test_callers_keep_their_grants(hook: CortexHook, worker: Worker) -> None:
    """Those that the task made, and those that others made on the function."""
    promote(worker, grant_usage_to=["app", "analyst"])
    rows(hook, "GRANT USAGE ON FUNCTION best(VARCHAR) TO ROLE other")
    promote(worker, SECOND, grant_usage_to="app")
    assert roles(hook) == {"APP", "ANALYST", "OTHER"}
    assert roles(hook, f"MODEL {SECOND}") == {"APP"}


def test_roles_may_be_a_query_s_result(hook: CortexHook, worker: Worker) -> None:
    """As a template renders it, with names that need quotes or spaces around them."""
    promote(worker, grant_usage_to="""[(' app ',), ('"my role"',)]""")
    assert roles(hook) == {"APP", "my role"}


INVALID: list[tuple[str, Any, str]] = [
    ("grant_usage_to", "app, analyst", "grant_usage_to must be an identifier"),
    ("grant_usage_to", ["app", "db.role"], "grant_usage_to must be an identifier"),
    ("grant_usage_to", "app; DROP TABLE t", "grant_usage_to must be an identifier"),
    ("grant_usage_to", None, "grant_usage_to must be non-empty text"),
    ("grant_usage_to", ["None"], "grant_usage_to must be non-empty text"),
    ("grant_usage_to", {"a": "b", "c": "d"}, "grant_usage_to must be one value"),
    ("alias", "x-y", "alias must be an identifier"),
    ("alias", "None", "alias must be non-empty text"),
    ("model", "support.ai.ticket-triage", "model must be an identifier"),
    ("finetune_job_id", " ", "finetune_job_id must be non-empty text"),
]


def test_invalid_arguments_are_rejected_before_the_login(
    models: None, cortex_emulator: Emulator, worker: Worker
) -> None:
    """By their names, and not retried."""
    for argument, value, message in INVALID:
        result = promote(worker, **{argument: value})
        assert result.state == "failed", argument
        assert message in str(result.error)
    assert cortex_emulator.logins == 0


def test_a_model_that_does_not_exist_is_not_promoted(hook: CortexHook, worker: Worker) -> None:
    """Nothing is created, replaced or granted; SHOW MODELS cannot tell if its schema is unknown."""
    for name in "CORTEX_DB.PUBLIC.triage_7", "triage_7", "OTHER.S.triage":
        result = promote(worker, name, grant_usage_to="app")
        assert result.state == "failed"
        assert "does not exist" in str(result.error)
    assert functions(hook) == []


def test_a_dropped_model_is_not_promoted_again(
    hook: CortexHook, cortex_emulator: Emulator, worker: Worker
) -> None:
    """A roll-back to it fails, and the model in use stays."""
    promote(worker, SECOND)
    cortex_emulator.jobs.drop(FIRST)
    assert promote(worker).state == "failed"
    assert ask(hook) == "second"


def test_a_function_of_others_is_never_replaced(hook: CortexHook, worker: Worker) -> None:
    """Its creator may still need it: the task fails, and names it."""
    for function in (
        "best(prompt VARCHAR) RETURNS VARCHAR AS 'prompt'",
        "best(prompt VARCHAR) RETURNS VARCHAR COMMENT = '{\"alias_of\": \"x\"}' AS 'prompt'",
        "best(a INT, b INT) RETURNS INT AS 'a'",
    ):
        rows(hook, f"CREATE OR REPLACE FUNCTION {function}")
        result = promote(worker, grant_usage_to="app")
        assert result.state == "failed"
        assert "alias CORTEX_DB.PUBLIC.best is a function that" in str(result.error)
    assert roles(hook, f"MODEL {FIRST}") == set()


def test_an_alias_may_be_in_another_schema(hook: CortexHook, worker: Worker) -> None:
    """Its function of the same name is another one; the model's name is full in its body."""
    rows(hook, "CREATE SCHEMA cortex_db.apps")
    rows(hook, "USE SCHEMA cortex_db.public")
    promote(worker, "triage")
    result = promote(worker, "triage_1", alias='cortex_db.apps."BEST"')
    assert "return_value" not in result.xcoms
    assert result.xcoms["model"] == SECOND
    assert (ask(hook), ask(hook, "cortex_db.apps.best")) == ("first", "second")
    rows(hook, "USE SCHEMA cortex_db.apps")
    assert ask(hook) == "second"


def test_names_may_need_quotes(hook: CortexHook, worker: Worker) -> None:
    """The function's, and the model's: neither ends the text that it stands in."""
    odd = 'CORTEX_DB.PUBLIC."$$ it\'s\\"'
    for alias in '"Ask me"', '"it\'s $$"', '"a""b"', '"100%s"':
        assert promote(worker, odd, alias=alias, grant_usage_to="app").state == "success"
        found = hook.alias(alias)
        assert (found and found.model) == odd
        assert ask(hook, alias) == "odd"
    assert set(functions(hook)) == {"100%s", "Ask me", 'a"b', "it's $$"}
    assert promote(worker, FIRST, alias='"Ask me"').xcoms["return_value"] == odd


def test_the_log_says_what_changed(
    hook: CortexHook, worker: Worker, log_lines: Callable[[], list[str]]
) -> None:
    """In one line: the alias, the old model and the new one."""
    promote(worker)
    promote(worker, SECOND)
    promote(worker, SECOND)
    lines = log_lines()
    for text in (
        f"Promoting model {FIRST}: best is a new alias",
        f"Promoting model {SECOND}: best stood for {FIRST}",
        f"Model {SECOND} is already in use as best",
    ):
        assert sum(text in line for line in lines) == 1, text


def test_a_killed_task_promotes_nothing(hook: CortexHook, worker: Worker) -> None:
    """Airflow 3 lets its code run on for a while."""

    def killed() -> Any:
        task = promotion()
        task.on_kill()
        return task

    assert worker.run(killed).state == "up_for_retry"
    assert functions(hook) == []
