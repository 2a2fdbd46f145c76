"""SQL as users really write it: what follows it, what is in it, and the file that it is in."""

import importlib
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import DAG

from airflow_provider_cortex.cortex import source_query
from airflow_provider_cortex.emulator import Emulator, Life
from airflow_provider_cortex.hooks import CortexHook
from airflow_provider_cortex.operators import (
    CortexCompleteOperator,
    CortexCompleteTableOperator,
    CortexFineTuneOperator,
)
from tests.worker import AIRFLOW_2, Instance, Worker

MODEL = "CORTEX_DB.PUBLIC.lights"

QUERY = "SELECT prompt, completion FROM tickets"

PAIRS = (("red", "stop"), ("green", "go"))

ENDS = {
    "a comment": " // all",
    "a comment of a comment": " -- all // of them",
    "a comment on a line of its own": "\n// all\n",
    "a comment with a quote": " // it's all",
    "a semicolon and a comment": "; -- weekly",
    "a comment and a semicolon": " // weekly\n;",
    "a block comment and a comment": " /* all */ // weekly",
    "a semicolon of Windows": ";\r\n-- weekly\r\n",
}
"""What may follow a query, and would swallow the bracket after it, or break it."""

END = pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)

TEXTS = {
    "comment": "a -- b",
    "slashes": "https://example.com/a",
    "semicolon": "a; b",
    "block": "a /* b",
    "whole block": "a /* b */ c",
    "all": "it's https://a.b/c;d--e/*f*/ // g",
    "brackets": "['a', \"b\"]; -- c",
    "only": "//",
}
"""What a literal may have in it that looks like SQL outside of one."""

TEXT = pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)


def literal(text: str) -> str:
    """Return a text as it stands in SQL."""
    return "'" + text.replace("'", "''") + "'"


@pytest.fixture
def tickets(connection: str, cortex_emulator: Emulator) -> None:
    """Have a table to train on, and one with the same rows that is to be answered."""
    cortex_emulator.query_life = Life.at_once()
    with CortexHook(connection) as hook:
        hook.run("CREATE TABLE tickets (prompt TEXT, completion TEXT)")
        hook.insert_rows("tickets", PAIRS, executemany=True)


@pytest.fixture
def model(cortex_emulator: Emulator) -> str:
    """Have a model that has learned the lights."""
    return cortex_emulator.jobs.add(model=MODEL, pairs=PAIRS, life=Life.at_once()).model


def fine_tune(**changes: Any) -> CortexFineTuneOperator:
    """Return the operator that starts a job."""
    arguments: dict[str, Any] = {"task_id": "start", "model": "lights"}
    arguments |= {"base_model": "llama3.1-8b", "training_data": QUERY}
    return CortexFineTuneOperator(**arguments | changes)


def complete_table(**changes: Any) -> CortexCompleteTableOperator:
    """Return the operator that answers a table."""
    arguments: dict[str, Any] = {"task_id": "answer", "model": MODEL, "source": "tickets"}
    if "prompt_expression" not in changes:
        arguments["prompt_column"] = "prompt"
    return CortexCompleteTableOperator(**arguments | {"destination": "answers"} | changes)


def trained(emulator: Emulator) -> Any:
    """Return the model that the last job has made, with the pairs that it was trained on."""
    (job, state), *_ = reversed(emulator.jobs.all())
    assert state.error is None
    found = emulator.jobs.model(job.model)
    assert found is not None
    return found


def answers(columns: str = "prompt, answer", table: str = "answers") -> list[tuple[Any, ...]]:
    """Return rows of the table that was answered."""
    with CortexHook() as hook:
        rows: list[tuple[Any, ...]] = hook.get_records(f"SELECT {columns} FROM {table} ORDER BY 1")
    return rows


@END
@pytest.mark.parametrize("validate", [True, False])
def test_end_of_the_data(
    validate: bool, end: str, tickets: None, cortex_emulator: Emulator, worker: Worker
) -> None:
    """A comment or a semicolon after the data is no part of it, whether Snowflake compiles it first or not."""
    data = {"training_data": QUERY + end, "validation_data": "tickets" + end}
    result = worker.run(lambda: fine_tune(**data, validate=validate))
    assert result.state == "success", result
    made = trained(cortex_emulator)
    assert (made.pairs, made.validation_pairs) == (PAIRS, PAIRS)


@END
@pytest.mark.parametrize(
    ("source", "deferrable"), [("tickets", False), ("SELECT prompt FROM tickets", True)]
)
def test_end_of_a_source_and_an_expression(
    source: str, deferrable: bool, end: str, tickets: None, model: str, worker: Worker
) -> None:
    """So it is with the rows that are to be answered, and with the expression for their prompts."""
    expression = f"CASE prompt WHEN 'red' THEN 'green' ELSE 'red' END{end}"
    result = worker.run(
        lambda: complete_table(
            source=source + end, prompt_expression=expression, deferrable=deferrable
        )
    )
    assert result.state == "success", result
    assert answers() == [("green", "stop"), ("red", "go")]


@END
def test_end_of_a_query_for_the_hook(end: str, tickets: None, cortex_emulator: Emulator) -> None:
    """So it is with the data that the hook is called with."""
    with CortexHook() as hook:
        assert hook.columns("data", QUERY + end) == ("PROMPT", "COMPLETION")
        assert hook.columns("data", QUERY + end, "PROMPT") == ("PROMPT",)
        job_id = hook.create("lights", "llama3.1-8b", QUERY + end, validation_data=QUERY + end)
        assert hook.describe(job_id).outcome() == MODEL
    made = trained(cortex_emulator)
    assert (made.pairs, made.validation_pairs) == (PAIRS, PAIRS)


@pytest.mark.parametrize("comment", ["-- the prompt", "// the prompt", "/* the prompt */"])
def test_comment_within(
    comment: str, tickets: None, cortex_emulator: Emulator, worker: Worker
) -> None:
    """A comment between two lines of a query stays one, and the second line counts."""
    data = f"SELECT prompt, {comment}\n completion // and that\nFROM tickets\n{comment}"
    result = worker.run(lambda: fine_tune(training_data=data))
    assert result.state == "success", result
    assert trained(cortex_emulator).pairs == PAIRS


@TEXT
def test_literal_in_the_data(
    text: str, connection: str, cortex_emulator: Emulator, worker: Worker
) -> None:
    """A literal that looks like a comment or an end reaches the job whole."""
    query = f"SELECT {literal(text)} AS prompt, {literal('to ' + text)} AS completion"
    data = {"training_data": f"{query}; // all", "validation_data": f"{query} -- all"}
    result = worker.run(lambda: fine_tune(**data))
    assert result.state == "success", result
    made = trained(cortex_emulator)
    assert made.pairs == made.validation_pairs == ((text, f"to {text}"),)


@TEXT
def test_literal_in_a_source_and_an_expression(
    text: str, tickets: None, model: str, cortex_emulator: Emulator, worker: Worker
) -> None:
    """So it reaches the table of answers, and the model that is asked."""
    cortex_emulator.faults.add("error", at="complete", prompt=f"say {text}!", message="all of it")
    source = f"SELECT {literal(text)} AS prompt, {literal(text)} AS {quoted(text)} // all"
    expression = f"'say ' || prompt || {literal('!')} -- please"
    result = worker.run(
        lambda: complete_table(source=source, prompt_expression=expression, max_error_rate=1)
    )
    assert result.state == "success", result
    ((prompt, again, error),) = answers(f"prompt, {quoted(text)}, error")
    assert prompt == again == text
    assert "all of it" in error


def quoted(name: str) -> str:
    """Return a column's name as it stands in SQL, whatever is in it."""
    return '"' + name.replace('"', '""') + '"'


@pytest.mark.parametrize(
    "expression",
    ["['a]', '-- b']", "['a[', '; b']", "['// a', 'b]']", "[ARRAY_CONSTRUCT('a]'), '/* b']"],
)
def test_array(expression: str) -> None:
    """An array of literals is made of literals: what is in them ends neither them nor the query."""
    sql = f"SELECT {expression} AS labels, prompt FROM tickets"
    assert source_query.without_terminator("training_data", f"{sql}; -- all") == sql
    assert source_query.without_terminator("training_data", f"{sql} // all") == sql


@pytest.mark.parametrize(
    "data", ["snow://dataset/db.schema.ds/versions/v1", "@stage/train.jsonl"], ids=["snow", "stage"]
)
def test_mark_before_what_is_no_query(
    data: str, connection: str, cortex_emulator: Emulator, worker: Worker
) -> None:
    """A byte order mark is no part of the address of data, either: Cortex would not know it."""
    marked = f"\ufeff{data}\r\n"
    result = worker.run(lambda: fine_tune(training_data=marked, validation_data=marked))
    assert result.state == "success", result
    with CortexHook() as hook:
        job = hook.describe(result.xcoms["return_value"])
    assert (job.training_data, job.validation_data) == (data, data)


Render = Callable[..., Any]


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """Have a folder of SQL files, as editors on Windows write them, and some called like other things."""

    def write(name: str, text: str) -> None:
        (tmp_path / name).write_text(text, encoding="utf-8-sig", newline="\r\n")

    write("tickets.sql", "SELECT prompt, completion\nFROM {{ table }}; -- weekly\n")
    write("name.sql", "{{ table }}\n")
    write("elsewhere.sql", "snow://dataset/db.schema.ds/versions/{{ table }}\n")
    for name in "text_to", "a", "body", "my":
        write(f"{name}.sql", "What is called like this file, and is not in it.\n")
    return tmp_path


def dag(files: Path) -> DAG:
    """Return a DAG that finds its files in a folder."""
    start = datetime(2026, 1, 1, tzinfo=UTC)
    return DAG("tickets", schedule=None, start_date=start, template_searchpath=str(files))


@pytest.fixture(params=["whole DAG", "task alone", "mapped task", "mapped file"])
def rendered(request: pytest.FixtureRequest, files: Path) -> Render:
    """
    Return what renders a task's templates as Airflow does.

    Airflow reads the files that a task names when it parses the DAG; if it runs the task alone
    (``airflow tasks render``), and for a mapped task, when it renders it. A mapped task may have
    the file's name among the arguments that it is expanded over (*over*), or not.
    """

    def render(operator: Any, *, over: str, **arguments: Any) -> Any:
        values = {"table": "tickets", "name": "lights"}
        is_mapped = request.param.startswith("mapped")
        with dag(files) as whole:
            if is_mapped:
                over = over if request.param == "mapped file" else "warehouse"
                each = [arguments.pop(over, "other"), "last"]
                task = operator.partial(task_id="mapped", **arguments).expand(**{over: each})
            else:
                task = operator(task_id="normal", **arguments)
        if request.param != "task alone":
            whole.resolve_template_files()
        if not is_mapped:
            task.render_template_fields(values)
            return task
        context: Any = values | {"dag": whole, "dag_run": SimpleNamespace(conf={}), "task": task}
        context |= {"ti": Instance(task, map_index=0), "run_id": "r", "params": {}}
        with session_of_a_mapped_task():
            task.render_template_fields(context)
        return context["task"]

    return render


def session_of_a_mapped_task() -> AbstractContextManager[Any]:
    """Give Airflow 2 the database session that it wants for a mapped task, and needs for no literal."""
    if not AIRFLOW_2:
        return nullcontext()
    sessions: Any = importlib.import_module("airflow.utils.task_instance_session")
    session: AbstractContextManager[Any] = sessions.set_current_task_instance_session(object())
    return session


FINE_TUNE = {
    "operator": CortexFineTuneOperator,
    "over": "training_data",
    "model": "{{ name }}",
    "base_model": "llama3.1-8b",
    "training_data": QUERY,
}


@pytest.mark.parametrize("file", ["tickets.sql", "name.sql"])
def test_file(
    file: str, rendered: Render, tickets: None, cortex_emulator: Emulator, worker: Worker
) -> None:
    """The data may be in a file with a byte order mark, a template, and an end of its own."""
    arguments = FINE_TUNE | {"training_data": file, "validation_data": file}
    result = worker.run(lambda: rendered(**arguments))
    assert result.state == "success", result
    made = trained(cortex_emulator)
    assert (made.pairs, made.validation_pairs) == (PAIRS, PAIRS)
    ((job, _),) = cortex_emulator.jobs.all()
    assert job.model == MODEL
    assert job.training_data.startswith("SELECT ")
    assert job.validation_data.startswith("SELECT ")


@pytest.mark.parametrize("file", ["tickets.sql", "name.sql"])
def test_file_of_a_source(
    file: str, rendered: Render, tickets: None, model: str, worker: Worker
) -> None:
    """So may what is to be answered."""
    result = worker.run(
        lambda: rendered(
            CortexCompleteTableOperator,
            over="source",
            model=MODEL,
            source=file,
            destination="answers",
            prompt_column="prompt",
        )
    )
    assert result.state == "success", result
    assert answers() == [("green", "go"), ("red", "stop")]


def test_file_with_an_address(
    rendered: Render, connection: str, cortex_emulator: Emulator, worker: Worker
) -> None:
    """A file may say where the data is, rather than what to select."""
    worker.run(lambda: rendered(**FINE_TUNE | {"training_data": "elsewhere.sql"}))
    ((job, _),) = cortex_emulator.jobs.all()
    assert job.training_data == "snow://dataset/db.schema.ds/versions/tickets"


@pytest.mark.parametrize("over", ["model", "training_data"])
def test_model_that_is_called_like_a_file(
    over: str, rendered: Render, tickets: None, cortex_emulator: Emulator, worker: Worker
) -> None:
    """A model may be called ``text_to.sql``, beside a file with the data: no file is looked for by its name."""
    options = {"note": "from tickets.sql", "file": "none.sql"}
    arguments = {"model": "text_to.sql", "training_data": "tickets.sql", "options": options}
    result = worker.run(lambda: rendered(**FINE_TUNE | arguments | {"over": over}))
    assert result.state == "success", result
    ((job, _),) = cortex_emulator.jobs.all()
    assert job.model == "CORTEX_DB.text_to.sql"
    assert job.options == options
    assert trained(cortex_emulator).pairs == PAIRS


@pytest.mark.parametrize("over", ["destination", "prompt_column"])
def test_table_that_is_called_like_a_file(
    over: str, rendered: Render, tickets: None, cortex_emulator: Emulator, worker: Worker
) -> None:
    """So may the table of the answers, a column, or whatever else is no SQL."""
    cortex_emulator.jobs.add(model="CORTEX_DB.text_to.sql", pairs=PAIRS, life=Life.at_once())
    with CortexHook() as hook:
        hook.run("CREATE SCHEMA a")
        hook.run('CREATE VIEW bodies AS SELECT prompt AS "body.sql" FROM tickets')
    result = worker.run(
        lambda: rendered(
            CortexCompleteTableOperator,
            over=over,
            model="CORTEX_DB.text_to.sql",
            source="SELECT * FROM bodies",
            destination="a.sql",
            prompt_column="body.sql",
            model_parameters={"note": "none.sql"},
        )
    )
    assert result.state == "success", result
    assert answers('"body.sql", answer', "a.sql") == [("green", "go"), ("red", "stop")]


def test_what_ends_like_a_file(rendered: Render) -> None:
    """A prompt, an expression and the names of a session are no files' names either."""
    asked = rendered(
        CortexCompleteOperator,
        over="prompt",
        model="text_to.sql",
        prompt="What is {{ table }} in tickets.sql",
        schema="my.sql",
        response_format={"title": "none.sql"},
    )
    assert asked.model == "text_to.sql"
    assert asked.prompt == "What is tickets in tickets.sql"
    assert asked.schema == "my.sql"
    assert asked.response_format == {"title": "none.sql"}
    answered = rendered(
        CortexCompleteTableOperator,
        over="prompt_expression",
        model=MODEL,
        source="tickets",
        destination="{{ table }}.sql",
        prompt_expression="{{ table }}.sql",
        schema="my.sql",
    )
    assert answered.destination == answered.prompt_expression == "tickets.sql"
    assert answered.schema == "my.sql"


def test_fields_after_the_files_are_read(rendered: Render) -> None:
    """Airflow, which shows a task's templates, finds all of them after the files have been read."""
    task = rendered(**FINE_TUNE | {"training_data": "tickets.sql"})
    assert task.template_fields == CortexFineTuneOperator.template_fields
    assert tuple(task.template_ext) == (".sql",)
    assert task.model == "lights"
    assert task.training_data.lstrip("\ufeff").startswith(
        "SELECT prompt, completion\nFROM tickets;"
    )


class Note:
    """An object within a template field, with a field of its own."""

    template_fields = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text


def test_object_within_a_field() -> None:
    """What follows an object with template fields of its own is no more a file's name than what comes before."""
    note: Any = Note("{{ table }}")
    options: Any = [note, "none.sql"]
    task: Any = CortexFineTuneOperator(
        task_id="start", model="m", base_model="b", training_data="q", options=options
    )
    context: Any = {"table": "tickets"}
    task.render_template_fields(context)
    assert task.options == [note, "none.sql"]
    assert note.text == "tickets"
