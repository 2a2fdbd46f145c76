"""Files with SQL as arguments."""

import importlib
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import DAG

from airflow_provider_cortex.emulator import Emulator, Life
from airflow_provider_cortex.operators import (
    CortexCompleteOperator,
    CortexCompleteTableOperator,
    CortexFineTuneOperator,
)
from tests.account import execute
from tests.ticket_table import (
    MODEL,
    PAIRS,
    QUERY,
    add_model,
    answers,
    create_tickets,
    trained,
)
from tests.worker import AIRFLOW_2, Instance, Worker


@pytest.fixture
def tickets(connection: str, cortex_emulator: Emulator) -> None:
    """Have a table of labelled tickets."""
    create_tickets(cortex_emulator)


@pytest.fixture
def model(cortex_emulator: Emulator) -> str:
    """Have a model that has learned the table."""
    return add_model(cortex_emulator)


Render = Callable[..., Any]


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """Have SQL files as editors on Windows write them, and some named like other arguments."""

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

     Airflow reads the files that a task names when it parses the DAG. For a task that runs alone
    (``airflow tasks render``), and for a mapped task, it reads them when it renders. A mapped
    task may have the file's name among the arguments that it is expanded over (*over*), or not.
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
    """Give Airflow 2 the database session that it requires for a mapped task."""
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
def test_data_may_be_a_file_with_a_template_and_a_byte_order_mark(
    file: str, rendered: Render, tickets: None, cortex_emulator: Emulator, worker: Worker
) -> None:
    """The data may be in a file: a template, with a byte order mark and a terminator."""
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
def test_a_source_may_be_a_file(
    file: str,
    rendered: Render,
    tickets: None,
    model: str,
    cortex_emulator: Emulator,
    worker: Worker,
) -> None:
    """So may the rows to answer."""
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
    assert answers(cortex_emulator) == [("green", "go"), ("red", "stop")]


def test_a_file_may_contain_an_address(
    rendered: Render, connection: str, cortex_emulator: Emulator, worker: Worker
) -> None:
    """A file may contain the address of the data instead of a query."""
    worker.run(
        lambda: rendered(
            **FINE_TUNE | {"training_data": "elsewhere.sql", "base_model": "arctic-extract"}
        )
    )
    ((job, _),) = cortex_emulator.jobs.all()
    assert job.training_data == "snow://dataset/db.schema.ds/versions/tickets"


@pytest.mark.parametrize("over", ["model", "training_data"])
def test_a_model_named_like_a_file_is_not_read_from_one(
    over: str, rendered: Render, tickets: None, cortex_emulator: Emulator, worker: Worker
) -> None:
    """A model may be named ``text_to.sql``, beside a file with the data: no such file is read."""
    options = {"note": "from tickets.sql", "file": "none.sql"}
    arguments = {"model": "text_to.sql", "training_data": "tickets.sql", "options": options}
    result = worker.run(lambda: rendered(**FINE_TUNE | arguments | {"over": over}))
    assert result.state == "success", result
    ((job, _),) = cortex_emulator.jobs.all()
    assert job.model == "CORTEX_DB.text_to.sql"
    assert job.options == options
    assert trained(cortex_emulator).pairs == PAIRS


@pytest.mark.parametrize("over", ["destination", "prompt_column"])
def test_a_table_or_column_named_like_a_file_is_not_read_from_one(
    over: str, rendered: Render, tickets: None, cortex_emulator: Emulator, worker: Worker
) -> None:
    """The same for the table of answers, a column, and everything else that is not SQL."""
    cortex_emulator.jobs.add(model="CORTEX_DB.text_to.sql", pairs=PAIRS, life=Life.at_once())
    execute(cortex_emulator, "CREATE SCHEMA a")
    execute(cortex_emulator, 'CREATE VIEW bodies AS SELECT prompt AS "body.sql" FROM tickets')
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
    assert answers(cortex_emulator, '"body.sql", answer', "a.sql") == [
        ("green", "go"),
        ("red", "stop"),
    ]


def test_only_sql_arguments_are_read_from_files(rendered: Render) -> None:
    """A prompt, an expression and a session's settings are not names of files either."""
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


def test_the_template_fields_are_complete_after_reading_files(rendered: Render) -> None:
    """Airflow shows a task's templates: it finds all of them after the files have been read."""
    task = rendered(**FINE_TUNE | {"training_data": "tickets.sql"})
    assert task.template_fields == CortexFineTuneOperator.template_fields
    assert tuple(task.template_ext) == (".sql",)
    assert task.model == "lights"
    assert task.training_data.lstrip("\ufeff").startswith(
        "SELECT prompt, completion\nFROM tickets;"
    )


class Note:
    """An object within a template field, with a template field of its own."""

    template_fields = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text


def test_an_object_within_a_field_does_not_change_what_is_a_file() -> None:
    """After an object with template fields, text is still not taken for a file's name."""
    note: Any = Note("{{ table }}")
    options: Any = [note, "none.sql"]
    task: Any = CortexFineTuneOperator(
        task_id="start", model="m", base_model="b", training_data="q", options=options
    )
    context: Any = {"table": "tickets"}
    task.render_template_fields(context)
    assert task.options == [note, "none.sql"]
    assert note.text == "tickets"
