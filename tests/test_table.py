"""A whole table answered inside Snowflake: in one statement, and without harm to what there is."""

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowTaskTimeout, TaskDeferred
from snowflake.connector import SnowflakeConnection

from airflow_provider_cortex.cortex.sql import Call
from airflow_provider_cortex.emulator import Emulator, Life
from airflow_provider_cortex.emulator.queries import Status
from airflow_provider_cortex.errors import TriggerEventError
from airflow_provider_cortex.hooks import CortexHook
from airflow_provider_cortex.operators import CortexCompleteTableOperator
from airflow_provider_cortex.tasks.answer_table import TableAnswering
from airflow_provider_cortex.triggers import CortexQueryTrigger
from airflow_provider_cortex.waiting import event
from tests.worker import Instance, Result, Store, Worker

MODEL = "CORTEX_DB.PUBLIC.lights"

Answer = Callable[..., Result]
Rows = Callable[[str], list[tuple[Any, ...]]]


@pytest.fixture
def hook(connection: str) -> Iterator[CortexHook]:
    """Have a session to look around in."""
    with CortexHook(connection) as hook:
        yield hook


@pytest.fixture
def rows(hook: CortexHook) -> Rows:
    """Return the rows of a query."""

    def read(sql: str) -> list[tuple[Any, ...]]:
        found: list[tuple[Any, ...]] = hook.get_records(sql)
        return found

    return read


@pytest.fixture
def lights(hook: CortexHook, cortex_emulator: Emulator) -> None:
    """Have a model, and a table to answer."""
    pairs = (("red", "stop"), ("green", "go"))
    cortex_emulator.jobs.add(model=MODEL, pairs=pairs, life=Life.at_once())
    rows = "(1, 'red'), (2, 'green'), (3, 'it''s 100% red')"
    make = "CREATE TABLE signals (id INT, body TEXT) AS SELECT * FROM (VALUES " + rows + ")"
    hook.run(make)


def operator(**changes: Any) -> CortexCompleteTableOperator:
    """Return a task that answers the signals."""
    arguments: dict[str, Any] = {"task_id": "answer", "model": MODEL, "source": "signals"}
    arguments |= {"destination": "answers", "prompt_column": "body"}
    return CortexCompleteTableOperator(**arguments | changes)


IN_BOTH_WAYS = pytest.mark.parametrize(
    "answer", [False, True], indirect=True, ids=["worker", "deferred"]
)


@pytest.fixture
def answer(
    request: Any,
    lights: None,
    cortex_emulator: Emulator,
    worker: Worker,
    monkeypatch: pytest.MonkeyPatch,
) -> Answer:
    """Run the operator that answers a table: by default on the worker alone."""
    deferrable = getattr(request, "param", False)
    monkeypatch.setattr("airflow_provider_cortex.operators.time.sleep", lambda _: None)
    cortex_emulator.query_life = Life.by_looks(1)

    def run(facts: dict[str, Any] | None = None, **changes: Any) -> Result:
        return worker.run(lambda: operator(**{"deferrable": deferrable} | changes), **(facts or {}))

    return run


def tables(hook: CortexHook) -> set[str]:
    """Return the names of all tables."""
    query = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'PUBLIC'"
    return {name for (name,) in hook.get_records(query)}


def asked(emulator: Emulator) -> int:
    """Return how many statements have asked a model."""
    return sum("AI_COMPLETE" in query.sql for query in emulator.queries.all())


@IN_BOTH_WAYS
def test_table(answer: Answer, rows: Rows, hook: CortexHook, cortex_emulator: Emulator) -> None:
    """Every row has its answer beside it; the counts and the query's id are the XCom; nothing else is left."""
    cortex_emulator.query_life = Life.by_looks(3)
    result = answer()
    (query,) = cortex_emulator.queries.all()
    assert result.xcoms["return_value"] == {"rows": 3, "errors": 0, "query_id": query.id}
    found = rows("SELECT id, body, answer, error FROM answers ORDER BY id")
    assert found == [
        (1, "red", "stop", None),
        (2, "green", "go", None),
        (3, "it's 100% red", "stop", None),
    ]
    assert tables(hook) == {"SIGNALS", "ANSWERS"}


def test_short_statement(answer: Answer, cortex_emulator: Emulator) -> None:
    """What is over when the worker looks never defers."""
    cortex_emulator.query_life = Life.at_once()
    result = answer(deferrable=True)
    assert result.state == "success"
    assert result.deferrals == 0


def test_query_and_expression(answer: Answer, rows: Rows) -> None:
    """The source may be a query, the prompt an expression, and the columns of any name."""
    result = answer(
        source='SELECT id AS "the id", body FROM signals WHERE id % 2 = 1 ORDER BY id -- odd\n;',
        prompt_column=None,
        prompt_expression="CASE WHEN body LIKE '%red%' THEN 'green' END -- the opposite",
        destination='cortex_db.public."my answers"',
        answer_column="Was nun?",
        error_column='"error"',
    )
    assert result.xcoms["return_value"]["rows"] == 2
    found = rows('SELECT "the id", "Was nun?", "error" FROM "my answers" ORDER BY 1')
    assert found == [(1, "go", None), (3, "go", None)]


def test_response_format(answer: Answer, rows: Rows) -> None:
    """With a response format the answers are objects."""
    schema = {"type": "object", "properties": {"do": {"type": "string"}}}
    answer(response_format={"type": "json", "schema": schema}, model_parameters={"temperature": 0})
    found = rows("SELECT answer FROM answers ORDER BY id")
    assert [json.loads(text) for (text,) in found][:2] == [{"do": "stop"}, {"do": "go"}]


def test_empty_source(answer: Answer) -> None:
    """No rows are no errors."""
    result = answer(source="SELECT * FROM signals WHERE FALSE")
    assert result.xcoms["return_value"]["rows"] == 0


@IN_BOTH_WAYS
@pytest.mark.parametrize("rate", [0.0, 0.5])
def test_errors(
    rate: float, answer: Answer, rows: Rows, hook: CortexHook, cortex_emulator: Emulator
) -> None:
    """Some rows may fail, and tell why; more than that fail the task with the commonest error, and leave no table."""
    cortex_emulator.faults.add("error", at="complete", prompt="green", message="too green")
    result = answer(max_error_rate=rate)
    if rate:
        assert result.xcoms["return_value"]["errors"] == 1
        (error,) = rows("SELECT error, answer FROM answers WHERE error IS NOT NULL")
        assert "too green" in error[0]
        assert error[1] is None
    else:
        assert result.state == "up_for_retry"
        assert "1 of 3 rows have no answer" in str(result.error)
        assert "too green" in str(result.error)
        assert tables(hook) == {"SIGNALS"}


@pytest.mark.parametrize(
    ("errors", "rows", "rate", "state"),
    [
        (1, 4, 0.25, "success"),
        (2, 4, 0.25, "up_for_retry"),
        (29, 50, 0.58, "success"),  # 0.58 * 50 is less than 29 in floating point
        (30, 50, 0.58, "up_for_retry"),
        (2, 2, 1.0, "success"),
    ],
)
def test_max_error_rate(
    errors: int,
    rows: int,
    rate: float,
    state: str,
    answer: Answer,
    hook: CortexHook,
    cortex_emulator: Emulator,
) -> None:
    """Exactly as many errors as max_error_rate allows are accepted, and one more is not."""
    bodies = ["green"] * errors + ["red"] * (rows - errors)
    values = ", ".join(f"({number}, '{body}')" for number, body in enumerate(bodies))
    hook.run(f"CREATE TABLE many (id INT, body TEXT) AS SELECT * FROM (VALUES {values})")
    cortex_emulator.faults.add("error", at="complete", prompt="green", message="too green")
    result = answer(source="many", max_error_rate=rate)
    assert result.state == state, result
    if state == "success":
        counts = result.xcoms["return_value"]
        assert (counts["rows"], counts["errors"]) == (rows, errors)
    else:
        assert f"{errors} of {rows} rows have no answer" in str(result.error)


def test_null_is_an_error(answer: Answer) -> None:
    """A prompt that is NULL has no answer."""
    result = answer(source="SELECT 1 AS id, NULL::VARCHAR AS body")
    assert "nothing (NULL)" in str(result.error)


def test_destination_that_is_there(
    answer: Answer, hook: CortexHook, cortex_emulator: Emulator
) -> None:
    """By default a table that is there is refused, before anything is paid for."""
    hook.run("CREATE TABLE answers (x INT)")
    result = answer()
    assert result.state == "failed"
    assert "answers is there already" in str(result.error)
    assert asked(cortex_emulator) == 0


def test_replace(answer: Answer, rows: Rows, hook: CortexHook) -> None:
    """A table may be replaced, even the source."""
    assert answer(destination="signals", if_exists="replace").state == "success"
    assert rows("SELECT answer FROM signals WHERE id = 1") == [("stop",)]


def test_replace_that_fails(answer: Answer, rows: Rows, cortex_emulator: Emulator) -> None:
    """If the task fails, the old table is as it was."""
    cortex_emulator.faults.add("null", at="complete", prompt="green")
    assert answer(destination="signals", if_exists="replace").state == "up_for_retry"
    assert len(rows("SELECT id, body FROM signals")) == 3


def test_append(answer: Answer, rows: Rows, hook: CortexHook) -> None:
    """Rows may be added, by the columns' names, whatever their order."""
    hook.run("CREATE TABLE answers (error TEXT, extra INT, answer TEXT, body TEXT, id INT)")
    hook.run("INSERT INTO answers (id) VALUES (0)")
    assert answer(if_exists="append").state == "success"
    found = rows("SELECT id, body, answer, error, extra FROM answers ORDER BY id")
    assert found[1] == (1, "red", "stop", None, None)
    assert len(found) == 4


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model": " "}, "model must be non-empty text"),
        ({"destination": "a b"}, "destination must be an identifier"),
        ({"source": "no_such"}, "source is nothing that Snowflake can read here"),
        ({"source": "SELEC"}, "source is nothing that Snowflake can read here"),
        (
            {"prompt_column": "text"},
            'prompt_column text is not a column of the source, which has "ID", "BODY"',
        ),
        ({"prompt_column": None, "prompt_expression": "text"}, "prompt_expression is nothing that"),
        ({"answer_column": "body"}, "answer_column is BODY, but the source already has this column"),
        ({"error_column": "Id"}, "error_column is ID, but the source already has this column"),
        ({"error_column": "ANSWER"}, "error_column must be another column than answer_column"),
        ({"if_exists": "append"}, "destination is nothing that Snowflake can read here"),
        (
            {"if_exists": "append", "destination": "old"},
            'old has no column "BODY", "ANSWER", "ERROR"',
        ),
        (
            {"source": 'SELECT 1 AS "_CORTEX_RAW", 2 AS body'},
            "source must not have a column _CORTEX_RAW",
        ),
        ({"model_parameters": {"a": object()}}, "model_parameters cannot be sent"),
    ],
)
def test_what_would_fail(
    changes: dict[str, Any],
    message: str,
    lights: None,
    hook: CortexHook,
    cortex_emulator: Emulator,
    worker: Worker,
) -> None:
    """What is wrong is told by the argument's name, for good, and before anything is paid for."""
    hook.run("CREATE TABLE old (id INT)")
    result = worker.run(lambda: operator(**{"destination": "new"} | changes))
    assert result.state == "failed"
    assert message in str(result.error)
    assert asked(cortex_emulator) == 0


@pytest.mark.parametrize(
    "changes",
    [
        {"prompt_column": None},
        {"prompt_expression": "body"},
        {"if_exists": "adopt"},
        {"max_error_rate": 1.1},
        {"poke_interval": 0},
    ],
)
def test_arguments(changes: dict[str, Any]) -> None:
    """What can be told to be of no use when the DAG is parsed is refused then."""
    with pytest.raises(ValueError, match=r"must be|give either"):
        operator(**changes)


@IN_BOTH_WAYS
def test_query_that_fails(answer: Answer, hook: CortexHook, cortex_emulator: Emulator) -> None:
    """A statement that fails is told with its id, in Snowflake's words, and may be retried."""
    result = answer(source="SELECT *, CAST(body AS INT) AS number FROM signals")
    assert result.state == "up_for_retry"
    assert f"Query {cortex_emulator.queries.all()[0].id} failed. Snowflake says" in str(
        result.error
    )
    assert tables(hook) == {"SIGNALS"}


@IN_BOTH_WAYS
def test_trouble_is_borne(answer: Answer, cortex_emulator: Emulator) -> None:
    """A status that cannot be had for a while is no end of the statement."""
    cortex_emulator.query_life = Life.by_looks(2)
    cortex_emulator.faults.add("reset", at="query", requests=2)
    assert answer().state == "success"


@IN_BOTH_WAYS
def test_trouble_that_lasts(answer: Answer, cortex_emulator: Emulator) -> None:
    """Without news for longer than the budget the task fails, and the statement is cancelled."""
    cortex_emulator.query_life = Life.by_time(3600)
    cortex_emulator.faults.add("reset", at="query")
    result = answer(contact_timeout=0)
    assert result.state == "up_for_retry"
    assert "Lost contact with query" in str(result.error)
    (query,) = cortex_emulator.queries.all()
    assert query.status is Status.ABORTED


def test_execution_timeout_while_deferred(
    lights: None, cortex_emulator: Emulator, worker: Worker
) -> None:
    """A deferred wait ends with execution_timeout, on every Airflow, and the statement with it."""
    cortex_emulator.query_life = Life.by_time(3600)
    result = worker.run(lambda: operator(deferrable=True, execution_timeout=timedelta(minutes=5)))
    assert "execution_timeout has passed" in str(result.error)
    (query,) = cortex_emulator.queries.all()
    assert query.status is Status.ABORTED


def test_execution_timeout_on_the_worker(
    lights: None, cortex_emulator: Emulator, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So it does on a worker, where Airflow strikes in the middle of a sleep."""
    cortex_emulator.query_life = Life.by_time(3600)

    def strike(delay: float) -> None:
        if delay:
            raise AirflowTaskTimeout("Timeout")

    monkeypatch.setattr("airflow_provider_cortex.operators.time.sleep", strike)
    result = worker.run(lambda: operator(deferrable=False))
    assert isinstance(result.error, AirflowTaskTimeout)
    (query,) = cortex_emulator.queries.all()
    assert query.status is Status.ABORTED


def strike_after(statements: int, emulator: Emulator, kind: str, *, times: int = 1) -> None:
    """Let a fault strike one statement, or so many: those that come after so many others."""
    emulator.faults.add("slow", delay=0, requests=statements)
    emulator.faults.add(kind, at="statement", requests=times)


def cancels(emulator: Emulator) -> int:
    """Return how many statements have cancelled a query."""
    return sum("SYSTEM$CANCEL_QUERY" in statement.sql for statement in emulator.statements)


@IN_BOTH_WAYS
@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("kind", ["reset", "error"])
def test_cancel_that_fails(
    kind: str,
    times: int,
    answer: Answer,
    cortex_emulator: Emulator,
    log_lines: Callable[[], list[str]],
) -> None:
    """A cancel that fails is tried once more, then logged; the task fails for the reason that ended the wait."""
    cortex_emulator.query_life = Life.by_time(3600)
    cortex_emulator.faults.add("reset", at="query")
    # Five statements compile the queries, look for the table in between, and ask the model.
    strike_after(5, cortex_emulator, kind, times=times)
    result = answer(contact_timeout=0)
    assert result.state == "up_for_retry"
    assert "Lost contact with query" in str(result.error)
    assert cancels(cortex_emulator) == 2
    (query,) = cortex_emulator.queries.all()
    told = any(f"Query {query.id} may run on: " in line for line in log_lines())
    # With "reset" the first one was served, though nobody heard of it.
    assert told == (times == 2)
    assert (query.status is Status.ABORTED) == (times == 1 or kind == "reset")


def test_one_cancel_is_enough(
    lights: None, cortex_emulator: Emulator, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Airflow calls on_kill after execution_timeout, too: the task, which has cancelled, does not do so again."""
    cortex_emulator.query_life = Life.by_time(3600)

    def strike(_: float) -> None:
        raise AirflowTaskTimeout("Timeout")

    monkeypatch.setattr("airflow_provider_cortex.operators.time.sleep", strike)
    result = worker.run(lambda: operator(deferrable=False))
    assert isinstance(result.error, AirflowTaskTimeout)
    result.instance.task.on_kill()
    assert cancels(cortex_emulator) == 1


@IN_BOTH_WAYS
def test_kill_after_the_end(answer: Answer, cortex_emulator: Emulator) -> None:
    """A task that is killed when its statement has finished cancels nothing."""
    result = answer()
    assert result.state == "success"
    result.instance.task.on_kill()
    assert cancels(cortex_emulator) == 0


@pytest.mark.parametrize(
    ("reason", "state"),
    [("Trigger failure", Status.SUCCESS), ("Trigger timeout", Status.ABORTED)],
)
def test_trigger_is_no_more(
    reason: str,
    state: Status,
    lights: None,
    cortex_emulator: Emulator,
    rows: Rows,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """If the trigger crashed the worker waits on; if the time was up the statement is cancelled."""
    monkeypatch.setattr("airflow_provider_cortex.operators.time.sleep", lambda _: None)
    cortex_emulator.query_life = Life.by_looks(3)
    task = operator(deferrable=True)
    context: Any = {"ti": Instance(task), "task": task}
    with pytest.raises(TaskDeferred):
        task.execute(context)
    gone = {"error": reason, "traceback": ["RuntimeError: bug\n"]}
    if state is Status.SUCCESS:
        assert task.resume_execution("__fail__", gone, context)["rows"] == 3
    else:
        with pytest.raises(AirflowTaskTimeout, match="Stopped waiting for query"):
            task.resume_execution("__fail__", gone, context)
    assert cortex_emulator.queries.all()[0].status is state


@IN_BOTH_WAYS
def test_final_statement_that_fails(answer: Answer, hook: CortexHook, rows: Rows) -> None:
    """What was paid for is not thrown away if the destination cannot be made: a retry goes on from there."""
    count = TableAnswering._count  # noqa: SLF001 - what comes just before

    def taken(answers: TableAnswering) -> Any:
        hook.run("CREATE TABLE IF NOT EXISTS answers (x INT)")
        return count(answers)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TableAnswering, "_count", taken)
        first = answer()
    assert first.state == "failed"
    assert len(tables(hook)) == 3
    hook.run("DROP TABLE answers")
    assert answer(facts={"again": first}).state == "success"
    assert tables(hook) == {"SIGNALS", "ANSWERS"}


@IN_BOTH_WAYS
def test_next_try_goes_on(
    lights: None, hook: CortexHook, cortex_emulator: Emulator, answer: Answer
) -> None:
    """What an earlier try has paid for is not paid for again: not when trouble came after the answers."""
    with pytest.MonkeyPatch.context() as patch:

        def away(*_: Any, **__: Any) -> None:
            raise OSError("the machine died")

        patch.setattr("airflow_provider_cortex.tasks.answer_table.TableAnswering.finish", away)
        first = answer(facts={"store": None})
    assert first.state == "up_for_retry"
    second = answer(facts={"again": first})
    assert second.xcoms["return_value"]["rows"] == 3
    assert asked(cortex_emulator) == 1
    assert tables(hook) == {"SIGNALS", "ANSWERS"}


def test_next_try_finds_the_query(lights: None, cortex_emulator: Emulator, worker: Worker) -> None:
    """On Airflow 3.3 the next try goes on with a statement that still runs."""
    cortex_emulator.query_life = Life.by_looks(3)

    def make() -> CortexCompleteTableOperator:
        return operator(deferrable=True)

    died = Worker()
    died.event = staticmethod(lambda _: {"kind": "of another version"})
    first = died.run(make, store=Store())
    assert first.state == "up_for_retry"
    assert worker.run(make, again=first).state == "success"
    assert asked(cortex_emulator) == 1


def worker_dies(worker: Worker) -> dict[str, Any]:
    """Run the operator on a worker that dies while the statement runs; return the facts of the next try."""

    def die(_: float) -> None:
        raise KeyboardInterrupt

    facts: dict[str, Any] = {"run_id": "weekly_1", "store": Store()}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("airflow_provider_cortex.operators.time.sleep", die)
        with pytest.raises(KeyboardInterrupt):
            worker.run(lambda: operator(deferrable=False), **facts)
    return facts


@IN_BOTH_WAYS
def test_next_try_waits_for_the_query(
    answer: Answer, worker: Worker, cortex_emulator: Emulator
) -> None:
    """On Airflow 3.3 the try after a worker that died waits for the statement, and pays for no other."""
    cortex_emulator.query_life = Life.by_looks(20)
    facts = worker_dies(worker)
    (query,) = cortex_emulator.queries.all()
    assert query.status is Status.RUNNING
    result = answer(facts=facts)
    assert result.xcoms["return_value"] == {"rows": 3, "errors": 0, "query_id": query.id}
    assert asked(cortex_emulator) == 1


@IN_BOTH_WAYS
def test_next_try_that_cannot_poll_the_query(
    answer: Answer, worker: Worker, cortex_emulator: Emulator
) -> None:
    """A network error when the next try polls the statement is no reason to pay for another one."""
    cortex_emulator.query_life = Life.by_looks(20)
    facts = worker_dies(worker)
    (query,) = cortex_emulator.queries.all()
    cortex_emulator.faults.add("reset", at="query", requests=1)
    result = answer(facts=facts)
    assert result.xcoms["return_value"]["query_id"] == query.id
    assert asked(cortex_emulator) == 1
    assert [fault.kind for fault in cortex_emulator.faults.struck] == ["reset"]


@IN_BOTH_WAYS
def test_next_try_that_cannot_look_for_the_table(
    answer: Answer, worker: Worker, cortex_emulator: Emulator
) -> None:
    """A network error when it looks for the table in between fails the try; the one after it finds the answers."""
    cortex_emulator.query_life = Life.by_time(3600)
    facts = worker_dies(worker)
    cortex_emulator.faults.add("clock", jump=7200.0)
    cortex_emulator.query_life = Life.by_looks(1)
    # Three statements compile the queries.
    strike_after(3, cortex_emulator, "reset")
    failed = answer(facts=facts)
    assert failed.state == "up_for_retry", failed
    assert "could not compile the table in between" in str(failed.error)
    assert answer(facts=facts).state == "success"
    assert asked(cortex_emulator) == 1


@IN_BOTH_WAYS
def test_query_that_ends_while_the_next_try_looks_for_it(
    answer: Answer, worker: Worker, cortex_emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A statement that succeeds after the look for its table, and before the poll, is not paid for again."""
    cortex_emulator.query_life = Life.by_time(3600)
    facts = worker_dies(worker)
    poll = SnowflakeConnection.get_query_status

    def late(session: SnowflakeConnection, query_id: str) -> Any:
        cortex_emulator.faults.add("clock", jump=7200.0)
        return poll(session, query_id)

    monkeypatch.setattr(SnowflakeConnection, "get_query_status", late)
    result = answer(facts=facts)
    assert result.state == "success"
    assert asked(cortex_emulator) == 1


@pytest.mark.parametrize("status", [Status.FAILED_WITH_ERROR, Status.ABORTED])
def test_next_try_after_a_query_that_failed(
    status: Status, answer: Answer, worker: Worker, cortex_emulator: Emulator
) -> None:
    """A statement that has failed, or was cancelled, is nothing to wait for: the next try asks again."""
    cortex_emulator.query_life = Life.by_time(3600)
    if status is Status.FAILED_WITH_ERROR:
        strike_after(4, cortex_emulator, "error")  # the one that asks the model
    facts = worker_dies(worker)
    (query,) = cortex_emulator.queries.all()
    if status is Status.ABORTED:
        cortex_emulator.queries.cancel(query.id)
    cortex_emulator.faults.add("clock", jump=7200.0)
    cortex_emulator.query_life = Life.by_looks(1)
    result = answer(facts=facts)
    assert result.xcoms["return_value"]["rows"] == 3
    assert [other.status for other in cortex_emulator.queries.all()] == [status, Status.SUCCESS]


def test_kill_on_the_worker(
    lights: None, cortex_emulator: Emulator, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A task that is killed on its worker cancels its statement."""
    cortex_emulator.query_life = Life.by_time(3600)
    tasks: list[CortexCompleteTableOperator] = []

    def make() -> CortexCompleteTableOperator:
        tasks.append(operator(destination="a"))
        return tasks[-1]

    def killed(_: float) -> None:
        if cortex_emulator.queries.all():
            tasks[-1].on_kill()  # as Airflow does, when it is told to stop
            raise KeyboardInterrupt

    monkeypatch.setattr("airflow_provider_cortex.operators.time.sleep", killed)
    with pytest.raises(KeyboardInterrupt):
        worker.run(make)
    (query,) = cortex_emulator.queries.all()
    assert query.status is Status.ABORTED


def test_kill_in_the_triggerer(hook: CortexHook, lights: None, cortex_emulator: Emulator) -> None:
    """So does one that is killed while it is deferred, where Airflow tells the triggerer."""
    cortex_emulator.query_life = Life.by_time(3600)
    query_id = hook.submit(Call("SELECT 1", ()), about="wait")
    trigger = CortexQueryTrigger(
        query_id=query_id,
        session={"snowflake_conn_id": "snowflake_default"},
        started_at=time.time(),
        deadline=None,
        poke_interval=30,
    )
    asyncio.run(trigger.on_kill())
    assert cortex_emulator.queries.all()[0].status is Status.ABORTED


@pytest.mark.parametrize(
    "payload", [None, {}, {"kind": "query_finished"}, {"kind": "finished", "job": "{}"}]
)
def test_foreign_event(payload: object) -> None:
    """An event that nobody here wrote is no success."""
    with pytest.raises(TriggerEventError, match="result of the query is unknown"):
        event.read_execution(payload)
