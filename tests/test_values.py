"""Values as Airflow really delivers them: from databases, from templates, and from what Cortex reports."""

import json
import math
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import DAG, AssetAlias, TaskDeferred

from airflow_provider_cortex.emulator import Emulator, Life
from airflow_provider_cortex.hooks import CortexHook
from airflow_provider_cortex.operators import (
    CortexCancelFineTuneOperator,
    CortexCompleteOperator,
    CortexCompleteTableOperator,
    CortexFineTuneOperator,
)
from airflow_provider_cortex.sensors import CortexFineTuneSensor
from tests.worker import AIRFLOW_2, MODES, Instance, Result, Worker, in_mode

MODEL = "CORTEX_DB.PUBLIC.years"

PAIRS = (("2024", "leap"), ("2023", "common"), ("true", "yes"), ("1.5", "half"), ("0", "none"))

LITERAL = "SELECT 'red' AS prompt, 'stop' AS completion"

IN_EACH_MODE = pytest.mark.parametrize("mode", MODES)

NATIVE = pytest.mark.parametrize("native", [False, True], ids=["text", "native"])
"""How templates are rendered: Airflow's default, and with ``render_template_as_native_obj``."""


def in_dag(
    make: Callable[[], Any], *, native: bool = False, dag_id: str = "tickets", **values: Any
) -> Any:
    """Return a task in a DAG, its templates rendered with these values."""
    start = datetime(2026, 1, 1, tzinfo=UTC)
    with DAG(dag_id, schedule=None, start_date=start, render_template_as_native_obj=native):
        task = make()
    task.render_template_fields(values)
    return task


def sensor(job_id: Any = "ft_1", **arguments: Any) -> CortexFineTuneSensor:
    """Return a sensor that looks as often as it may, but not for ever."""
    defaults: dict[str, Any] = {"task_id": "wait", "poke_interval": 0.01, "timeout": 60}
    return CortexFineTuneSensor(finetune_job_id=job_id, **(defaults | arguments))


def fine_tune(**changes: Any) -> CortexFineTuneOperator:
    """Return the operator that starts a job."""
    arguments: dict[str, Any] = {"task_id": "start", "model": "lights"}
    arguments |= {"base_model": "llama3.1-8b", "training_data": LITERAL}
    return CortexFineTuneOperator(**arguments | changes)


def complete(**changes: Any) -> CortexCompleteOperator:
    """Return the operator that asks a model."""
    arguments: dict[str, Any] = {"task_id": "ask", "model": MODEL, "prompt": "2024"}
    return CortexCompleteOperator(**arguments | changes)


def complete_table(**changes: Any) -> CortexCompleteTableOperator:
    """Return the operator that answers a table."""
    arguments: dict[str, Any] = {"task_id": "answer", "model": MODEL, "prompt_column": "body"}
    arguments |= {"source": "SELECT '2024' AS body", "destination": "answers"}
    return CortexCompleteTableOperator(**arguments | changes)


def cancel(job_id: Any = "ft_1", **arguments: Any) -> CortexCancelFineTuneOperator:
    """Return the operator that cancels a job."""
    return CortexCancelFineTuneOperator(task_id="stop", finetune_job_id=job_id, **arguments)


@pytest.fixture
def years(connection: str, cortex_emulator: Emulator) -> None:
    """Have a model that knows some years."""
    cortex_emulator.query_life = Life.at_once()
    cortex_emulator.jobs.add(model=MODEL, pairs=PAIRS, life=Life.at_once())


def succeeded(emulator: Emulator, **record: Any) -> str:
    """Let a job succeed at the second look, with a record like Snowflake's, and return its id."""
    job = emulator.jobs.add(model="DB.S.m", life=Life.by_time(3600))
    figures = {"training_loss": 0.5, "validation_loss": 0.8}
    told = {"status": "SUCCESS", "model": "DB.S.m_1", "trained_tokens": 100}
    emulator.faults.add("record", requests=1)
    emulator.faults.add("record", set=told | {"training_result": figures} | record)
    return job.id


def causes(result: Result) -> str:
    """Return what a task failed with, and why."""
    errors = []
    error = result.error
    while error is not None:
        errors.append(str(error))
        error = error.__cause__
    return "\n".join(errors)


GATES = ("max_validation_loss", "max_training_loss", "max_trained_tokens")


@IN_EACH_MODE
@pytest.mark.parametrize(
    ("limits", "missed"),
    [
        (("0.9", "0.6", "1e2"), None),
        (("0.8", "0.5", "100"), None),
        (("0.79", "0.6", "100"), "validation_loss is 0.8, above max_validation_loss, 0.79"),
        (("0.9", "0.49", "100"), "training_loss is 0.5, above max_training_loss, 0.49"),
        (("0.9", "0.5", "99"), "trained_tokens is 100, above max_trained_tokens, 99"),
    ],
)
def test_limits_of_a_database(
    limits: tuple[str, str, str],
    missed: str | None,
    mode: str,
    cortex_emulator: Emulator,
    connection: str,
    worker: Worker,
) -> None:
    """A gate goes by a Decimal, and by the one cell of a query's result, as by any number: in every mode."""
    job_id = succeeded(cortex_emulator)
    loss, training, tokens = map(Decimal, limits)
    result = worker.run(
        lambda: sensor(
            job_id,
            max_validation_loss=loss,
            max_training_loss=[(training,)],
            max_trained_tokens=[{"TOKENS": tokens}],
            **in_mode(mode),
        )
    )
    assert result.state == ("failed" if missed else "success"), result
    assert (missed or "") in causes(result)


@IN_EACH_MODE
def test_limits_of_numpy(
    mode: str, cortex_emulator: Emulator, connection: str, worker: Worker
) -> None:
    """So it does by NumPy's numbers."""
    numpy = pytest.importorskip("numpy")
    job_id = succeeded(cortex_emulator)
    limits = {"max_validation_loss": numpy.float32(0.75), "max_trained_tokens": numpy.int64(100)}
    result = worker.run(lambda: sensor(job_id, **limits, **in_mode(mode)))
    assert result.state == "failed"
    assert "above max_validation_loss, 0.75" in causes(result)
    assert "trained_tokens" not in causes(result)


@NATIVE
@IN_EACH_MODE
@pytest.mark.parametrize(
    "limit",
    [Decimal("0.7"), [(0.7,)], [[0.7]], (0.7,), " 0.7\n", [(Decimal("0.7"),)]],
    ids=["Decimal", "row", "list", "tuple", "text", "row of a Decimal"],
)
def test_limit_of_a_template(
    limit: object,
    mode: str,
    native: bool,
    cortex_emulator: Emulator,
    connection: str,
    worker: Worker,
) -> None:
    """So it does by what a template makes of them: text, or the value itself."""
    job_id = succeeded(cortex_emulator)

    def make() -> CortexFineTuneSensor:
        return sensor(job_id, max_validation_loss="{{ limit }}", **in_mode(mode))

    result = worker.run(lambda: in_dag(make, native=native, limit=limit))
    assert result.state == "failed"
    assert "validation_loss is 0.8, above max_validation_loss, 0.7" in causes(result)


NO_LIMITS = [True, False, math.nan, math.inf, -1, Decimal("NaN"), Decimal("sNaN"), Decimal(-1)]


@pytest.mark.parametrize("gate", GATES)
@pytest.mark.parametrize("value", [*NO_LIMITS, "nan", "low", "", "True"], ids=repr)
def test_limit_that_is_none(value: object, gate: str) -> None:
    """A limit that would let everything pass, or nothing, is refused when the DAG is parsed, by its name."""
    with pytest.raises(ValueError, match=f"^{gate} must be a number"):
        sensor(**{gate: value})


NOT_RENDERED = [
    *((value, "must be a number") for value in NO_LIMITS),
    ([(True,)], "must be a number"),
    ([(Decimal("NaN"),)], "must be a number"),
    ([(None,)], "must be a number"),
    (None, "must be a number"),
    ([], "a result of 0 rows"),
    ([(1,), (2,)], "a result of 2 rows"),
    ([(1, 2)], "a result of 2 rows or columns"),
]
"""What a template may render to that is no limit, and what is said about it."""


@IN_EACH_MODE
def test_limit_that_renders_to_none(
    mode: str, cortex_emulator: Emulator, connection: str, worker: Worker
) -> None:
    """What a template makes of it is refused before the wait begins, in every mode."""

    def make() -> CortexFineTuneSensor:
        return sensor(max_training_loss="{{ limit }}", **in_mode(mode))

    for value, problem in NOT_RENDERED:
        result = worker.run(lambda value=value: in_dag(make, native=True, limit=value))  # type: ignore[misc]
        assert (result.state, result.deferrals) == ("failed", 0), value
        assert str(result.error).startswith("max_training_loss "), value
        assert problem in str(result.error), value
    assert cortex_emulator.logins == 0


def test_boolean_of_numpy(cortex_emulator: Emulator, connection: str, worker: Worker) -> None:
    """NumPy's booleans are no numbers either."""
    numpy = pytest.importorskip("numpy")
    result = worker.run(lambda: sensor(max_training_loss=[(numpy.bool_(True),)], deferrable=True))
    assert result.state == "failed"
    assert "max_training_loss must be a number" in str(result.error)
    assert cortex_emulator.logins == 0


DURATIONS: dict[str, Callable[..., Any]] = {
    "contact_timeout": sensor,
    "max_poke_interval": sensor,
    "expected_duration": sensor,
    "stall_timeout": sensor,
    "table's poke_interval": complete_table,
    "table's contact_timeout": complete_table,
}

DURATION = pytest.mark.parametrize("duration", DURATIONS)


def given(duration: str, value: object) -> Any:
    """Return what a task makes of a duration."""
    argument = duration.rpartition(" ")[2]
    return getattr(DURATIONS[duration](**{argument: value}), argument)


@DURATION
@pytest.mark.parametrize("value", [Decimal("90.5"), Fraction(181, 2), 90.5], ids=repr)
def test_duration(value: object, duration: str) -> None:
    """Seconds may be any real number."""
    assert given(duration, value) == 90.5


@DURATION
@pytest.mark.parametrize("kind", ["int64", "float32", "uint16"])
def test_duration_of_numpy(kind: str, duration: str) -> None:
    """So may they be one of NumPy's, and a trigger's arguments are JSON all the same."""
    numpy = pytest.importorskip("numpy")
    assert json.dumps(given(duration, getattr(numpy, kind)(90))) == "90.0"


@DURATION
@pytest.mark.parametrize(
    "value",
    [
        *(True, False, math.nan, math.inf, -1, "90", [90], 10**400, 1j),
        *(Decimal("NaN"), Decimal("sNaN"), Decimal("Infinity"), Decimal(-1)),
    ],
    ids=lambda value: repr(value)[:10],
)
def test_duration_that_is_none(value: object, duration: str) -> None:
    """What is no number of seconds is refused when the DAG is parsed, by its name."""
    argument = duration.rpartition(" ")[2]
    with pytest.raises(ValueError, match=f"^{argument} must be "):
        given(duration, value)


@DURATION
def test_boolean_duration_of_numpy(duration: str) -> None:
    """NumPy's booleans are no seconds either."""
    numpy = pytest.importorskip("numpy")
    argument = duration.rpartition(" ")[2]
    with pytest.raises(ValueError, match=f"^{argument} must be "):
        given(duration, numpy.bool_(True))


@IN_EACH_MODE
def test_wait_with_decimals(
    mode: str, cortex_emulator: Emulator, connection: str, worker: Worker
) -> None:
    """A wait whose every duration is a Decimal goes on to its end, in every mode."""
    # Between two looks it sleeps in mode poke, for real.
    job = cortex_emulator.jobs.add(model="m", life=Life.by_looks(0 if mode == "poke" else 1))
    stall = {} if AIRFLOW_2 and mode == "reschedule" else {"stall_timeout": Decimal(3600)}
    result = worker.run(
        lambda: sensor(
            job.id,
            poke_interval=None,
            contact_timeout=Decimal("60.5"),
            max_poke_interval=Decimal(120),
            expected_duration=Decimal(1),
            **stall,
            **in_mode(mode),
        )
    )
    assert result.state == "success", result
    assert result.deferrals == (mode == "deferrable")


def test_table_with_decimals(years: None, cortex_emulator: Emulator, worker: Worker) -> None:
    """So does a statement that answers a table, in the triggerer."""
    cortex_emulator.query_life = Life.by_looks(2)
    decimals = {"poke_interval": Decimal(30), "contact_timeout": Decimal("60.5")}
    result = worker.run(
        lambda: complete_table(max_error_rate=Decimal("0.5"), deferrable=True, **decimals)
    )
    assert result.state == "success", result
    assert result.deferrals == 1


@pytest.mark.parametrize("rate", [True, math.nan, Decimal("NaN"), Decimal("1.1"), "0.5"], ids=repr)
def test_rate_that_is_none(rate: object) -> None:
    """So is a share of errors that is no number from 0 to 1 refused."""
    with pytest.raises(ValueError, match=r"^max_error_rate must be from 0 to 1"):
        complete_table(max_error_rate=rate)


def render(
    worker: Worker, make: Callable[[], Any], *, native: bool = True, **values: Any
) -> Result:
    """Run a task whose templates are rendered, as the values that they are by default."""
    return worker.run(lambda: in_dag(make, native=native, **values))


@pytest.mark.parametrize("function", ["AI_COMPLETE", "COMPLETE"])
@pytest.mark.parametrize(
    ("prompt", "answer"),
    [
        ("2024", "leap"),
        ("{{ year }}", "leap"),
        ("True", "yes"),
        ("1.5", "half"),
        ("0", "none"),
        (["2023", "{{ year }}", "True", "0"], ["common", "leap", "yes", "none"]),
        ([{"role": "user", "content": "{{ year }}"}], "leap"),
        ([{"role": "system", "content": "1"}, {"role": "user", "content": "2023"}], "common"),
        ("{{ [2023, year] }}", ["common", "leap"]),
    ],
    ids=repr,
)
def test_prompt_that_looks_like_a_number(
    prompt: Any, answer: Any, function: Any, years: None, worker: Worker
) -> None:
    """A prompt that is rendered to a number or a bool is the text that it looks like, also in a list."""
    result = render(worker, lambda: complete(prompt=prompt, function=function), year=2024)
    assert result.state == "success", result
    assert result.xcoms["return_value"] == answer


@pytest.mark.parametrize("prompt", ["None", "{{ nothing }}", "{{ [] }}", "{{ [nothing] }}"])
def test_prompt_that_says_nothing(
    prompt: str, years: None, cortex_emulator: Emulator, worker: Worker
) -> None:
    """A prompt that is rendered to nothing is no text, and is refused by its name."""
    result = render(worker, lambda: complete(prompt=prompt), nothing=None)
    assert result.state == "failed"
    assert str(result.error).startswith("prompt ")
    assert cortex_emulator.logins == 0


@NATIVE
@pytest.mark.parametrize("value", [None, "", " "])
@pytest.mark.parametrize("argument", ["prompt_column", "prompt_expression"])
def test_column_that_renders_to_nothing(
    argument: str,
    value: object,
    native: bool,
    years: None,
    cortex_emulator: Emulator,
    worker: Worker,
) -> None:
    """A column or an expression that is rendered to nothing is refused by its own name, before anything is sent."""
    arguments: dict[str, Any] = {"prompt_column": None, argument: "{{ value }}"}
    result = render(worker, lambda: complete_table(**arguments), native=native, value=value)
    assert result.state == "failed"
    assert str(result.error).startswith(f"{argument} ")
    assert cortex_emulator.logins == 0


@pytest.mark.parametrize("year", ["2024", "{{ year }}"])
def test_session_that_is_named_by_a_number(
    year: str, connection: str, cortex_emulator: Emulator, worker: Worker
) -> None:
    """The names of a session are texts, even if they look like numbers: for the worker, and for the triggerer."""
    names = {"warehouse": year, "role": "7"}
    job = cortex_emulator.jobs.add(model="m", life=Life.by_time(3600))
    wait = in_dag(lambda: sensor(job.id, deferrable=True, **names), native=True, year=2024)
    context: Any = {"ti": Instance(wait)}
    with pytest.raises(TaskDeferred) as deferred:
        wait.execute(context)
    kept = deferred.value.trigger.serialize()[1]["session"]
    assert (kept["warehouse"], kept["role"]) == ("2024", "7")
    place = in_dag(lambda: sensor(database=year, schema="7"), native=True, year=2024)
    assert place.cortex_hook().place().uri("m") == "snowflake://emulator/2024/7/m"


EPOCHS = "{{ {'max_epochs': epochs} | tojson }}"


@NATIVE
@pytest.mark.parametrize("epochs", [2, "2"])
def test_options_as_text(
    epochs: object, native: bool, connection: str, cortex_emulator: Emulator, worker: Worker
) -> None:
    """Options may be a template that renders to a JSON object."""
    result = render(worker, lambda: fine_tune(options=EPOCHS), native=native, epochs=epochs)
    assert result.state == "success", result
    ((job, _),) = cortex_emulator.jobs.all()
    assert job.options == {"max_epochs": 2}


@pytest.mark.parametrize("options", [{"max_epochs": Decimal(2)}, "null", "{}", " {} \n", {}, None])
def test_options_of_other_kinds(
    options: Any, connection: str, cortex_emulator: Emulator, worker: Worker
) -> None:
    """They may have a database's numbers in them, and none at all are no options."""
    result = worker.run(lambda: fine_tune(options=options))
    assert result.state == "success", result
    ((job, _),) = cortex_emulator.jobs.all()
    assert job.options == ({"max_epochs": 2} if options and "max_epochs" in options else None)


FORMAT = "{{ {'type': 'json', 'schema': {'properties': {'kind': {'type': 'string'}}}} | tojson }}"
PARAMETERS = "{{ {'temperature': t, 'max_tokens': 7} | tojson }}"


@NATIVE
@pytest.mark.parametrize("function", ["AI_COMPLETE", "COMPLETE"])
def test_answer_by_text(
    function: Any, native: bool, years: None, cortex_emulator: Emulator, worker: Worker
) -> None:
    """So may a model's parameters and the form of its answer."""
    arguments = {"model_parameters": PARAMETERS, "response_format": FORMAT, "function": function}
    result = render(worker, lambda: complete(**arguments), native=native, t=0)
    assert result.state == "success", result
    assert result.xcoms["return_value"] == {"kind": "leap"}
    (sent,) = [one.sql for one in cortex_emulator.statements if "COMPLETE" in one.sql]
    assert '"temperature": 0' in sent.replace("\\", "")
    assert '"max_tokens": 7' in sent.replace("\\", "")


@NATIVE
def test_answers_by_text(
    native: bool, years: None, cortex_emulator: Emulator, worker: Worker
) -> None:
    """So it is for a table."""
    arguments = {"model_parameters": PARAMETERS, "response_format": FORMAT}
    result = render(worker, lambda: complete_table(**arguments), native=native, t=0)
    assert result.state == "success", result
    with CortexHook() as hook:
        ((answer,),) = hook.get_records("SELECT answer FROM answers")
    assert json.loads(answer) == {"kind": "leap"}
    (sent,) = [query.sql for query in cortex_emulator.queries.all()]
    assert '"temperature": 0' in sent.replace("\\", "")


@pytest.mark.parametrize("function", ["AI_COMPLETE", "COMPLETE"])
@pytest.mark.parametrize("format_", [None, {"type": "json", "schema": {"properties": {}}}])
def test_parameters_of_a_database(
    format_: Any, function: Any, years: None, cortex_emulator: Emulator, worker: Worker
) -> None:
    """A model's parameters may be Decimals: they are numbers in what is sent."""
    parameters = {"temperature": Decimal("0.5"), "max_tokens": Decimal(7)}
    arguments = {"model_parameters": parameters, "response_format": format_, "function": function}
    result = worker.run(lambda: complete(**arguments))
    assert result.state == "success", result
    (sent,) = [one.sql for one in cortex_emulator.statements if "COMPLETE" in one.sql]
    assert '"temperature": 0.5' in sent.replace("\\", "")
    assert '"max_tokens": 7' in sent.replace("\\", "")


TAGGED = "{{ {'QUERY_TAG': tag} | tojson }}"


@NATIVE
@pytest.mark.parametrize("task", ["start", "ask", "answer", *MODES])
def test_session_parameters_as_text(
    task: str, native: bool, years: None, cortex_emulator: Emulator, worker: Worker
) -> None:
    """So may the parameters of a session, of every task and in every mode."""
    job = cortex_emulator.jobs.add(model="m", life=Life.at_once())
    make: dict[str, Callable[..., Any]] = {
        "start": fine_tune,
        "ask": complete,
        "answer": complete_table,
    }
    sensors = {
        mode: lambda mode=mode, **kept: sensor(job.id, **kept, **in_mode(mode)) for mode in MODES
    }
    made = (make | sensors)[task]
    result = render(worker, lambda: made(session_parameters=TAGGED), native=native, tag="mine")
    assert result.state == "success", result
    assert {statement.query_tag for statement in cortex_emulator.statements} == {"mine"}


NO_OBJECTS = ["{'max_epochs': 3}", "[1]", "None", "", "[" * 99_999, 7, True, ["a"]]

OBJECTS: dict[str, Callable[..., Any]] = {
    "start's options": fine_tune,
    "ask's model_parameters": complete,
    "ask's response_format": complete,
    "answer's model_parameters": complete_table,
    "answer's response_format": complete_table,
    "start's session_parameters": fine_tune,
    "ask's session_parameters": complete,
    "answer's session_parameters": complete_table,
    "stop's session_parameters": cancel,
} | {
    f"{mode}'s session_parameters": lambda mode=mode, **kept: sensor(**kept, **in_mode(mode))
    for mode in MODES
}


@pytest.mark.parametrize("which", OBJECTS)
def test_text_that_is_no_object(
    which: str, connection: str, cortex_emulator: Emulator, worker: Worker
) -> None:
    """Any other text is refused by the argument's name, for good, and before anything is sent."""
    argument = which.rpartition(" ")[2]
    for value in NO_OBJECTS:
        result = worker.run(lambda value=value: OBJECTS[which](**{argument: value}))  # type: ignore[misc]
        assert (result.state, result.deferrals) == ("failed", 0), value
        assert str(result.error).startswith(f"{argument} "), value
        assert "JSON object" in str(result.error), value
    assert cortex_emulator.logins == 0


ROWS: dict[str, Callable[[str], Any]] = {
    "row": lambda job_id: [(job_id,)],
    "row of an XCom": lambda job_id: [[f" {job_id}\n"]],
    "tuple": lambda job_id: (job_id,),
    "mapping": lambda job_id: [{"ID": job_id}],
    "mapping alone": lambda job_id: {"ID": job_id},
    "row as text": lambda job_id: f"[('{job_id}',)]",
    "tuple as text": lambda job_id: f" ('{job_id}',)\n",
    "mapping as text": lambda job_id: f"[{{'ID': '{job_id}'}}]",
    "mapping alone as text": lambda job_id: f"{{'ID': '{job_id}'}}",
    "row as JSON": lambda job_id: json.dumps([[job_id]]),
}
"""How Airflow may deliver the result of ``SELECT id … LIMIT 1``, by a handler and a template."""

ROW = pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)


@ROW
@IN_EACH_MODE
def test_job_of_a_query(
    mode: str,
    row: Callable[[str], Any],
    cortex_emulator: Emulator,
    connection: str,
    worker: Worker,
) -> None:
    """The job may be the one cell of a query's result, in every form, and in every mode."""
    life = Life.at_once() if mode == "poke" else Life.by_looks(1)
    job = cortex_emulator.jobs.add(model="m", life=life)
    result = worker.run(lambda: sensor(row(job.id), **in_mode(mode)))
    assert result.state == "success", result
    assert result.xcoms["finetune_job"]["id"] == result.xcoms["finetune_job_id"] == job.id


@ROW
def test_cancel_of_a_query_s_job(
    row: Callable[[str], Any], cortex_emulator: Emulator, connection: str, worker: Worker
) -> None:
    """So may the job that is to be cancelled."""
    job = cortex_emulator.jobs.add(model="m", life=Life.by_time(3600))
    result = worker.run(lambda: cancel(row(job.id)))
    assert result.xcoms == {"return_value": "CANCELLED"}


@NATIVE
@IN_EACH_MODE
@pytest.mark.parametrize("row", ["row", "mapping"])
def test_job_of_a_template(
    row: str,
    mode: str,
    native: bool,
    cortex_emulator: Emulator,
    connection: str,
    worker: Worker,
) -> None:
    """So may a template render to such a result, or to what it looks like as text."""
    job = cortex_emulator.jobs.add(model="m", life=Life.at_once())
    found = ROWS[row](job.id)
    result = render(
        worker, lambda: sensor("{{ found }}", **in_mode(mode)), native=native, found=found
    )
    assert result.state == "success", result


NO_ROWS: dict[str, tuple[Any, str]] = {
    "no rows": ([], "0 rows"),
    "an empty row": ([()], "0 rows or columns"),
    "rows": ([("ft_1",), ("ft_2",)], "2 rows"),
    "cells": ([("ft_1", "SUCCESS")], "2 rows or columns"),
    "cells of a mapping": ([{"ID": "ft_1", "STATUS": "SUCCESS"}], "2 rows or columns"),
    "no rows as text": ("[]", "0 rows"),
    "rows as text": ("[('ft_1',), ('ft_2',)]", "2 rows"),
    "cells as text": (" ('ft_1', 'SUCCESS')\n", "2 rows or columns"),
    "cells as JSON": ('[["ft_1", null]]', "2 rows or columns"),
    "cells with a time as text": ("[('ft_1', datetime.date(2026, 1, 1))]", "2 rows or columns"),
}
"""What is no job, and what is said about it."""


@pytest.mark.parametrize("task", ["cancel", *MODES])
def test_result_that_is_no_job(
    task: str, cortex_emulator: Emulator, connection: str, worker: Worker
) -> None:
    """A result of more or less than one cell is refused by name, with what to select, before anything is sent."""
    make = cancel if task == "cancel" else lambda job_id: sensor(job_id, **in_mode(task))
    for which, (value, problem) in NO_ROWS.items():
        result = worker.run(lambda value=value: make(value))  # type: ignore[misc]
        assert (result.state, result.deferrals) == ("failed", 0), which
        assert str(result.error).startswith("finetune_job_id must be one value"), which
        assert problem in str(result.error), which
        assert "Select one row and one column" in str(result.error), which
    assert cortex_emulator.logins == 0


@pytest.mark.parametrize("value", [[(None,)], [[""]], [{"ID": None}], "[(None,)]", "[[null]]"])
@pytest.mark.parametrize("task", ["cancel", *MODES])
def test_cell_that_is_no_job(
    task: str, value: Any, cortex_emulator: Emulator, connection: str, worker: Worker
) -> None:
    """So is one whose only cell says nothing."""
    make = cancel if task == "cancel" else lambda job_id: sensor(job_id, **in_mode(task))
    result = worker.run(lambda: make(value))
    assert (result.state, result.deferrals) == ("failed", 0)
    assert str(result.error).startswith("finetune_job_id must be text that is not empty")
    assert cortex_emulator.logins == 0


def test_result_of_a_task(cortex_emulator: Emulator, connection: str, worker: Worker) -> None:
    """The refusal says which task has returned the rows."""

    def make() -> CortexFineTuneSensor:
        return sensor("{{ ti.xcom_pull('select_job') }}", deferrable=True)

    ti = {"xcom_pull": lambda _: [("ft_1",), ("ft_2",)]}
    result = render(worker, make, ti=ti)
    assert result.state == "failed"
    assert "select_job" in str(result.error)


@pytest.mark.parametrize("row", [[(MODEL,)], [{"MODEL": MODEL}], f"[('{MODEL}',)]"], ids=repr)
def test_model_of_a_query(row: Any, years: None, worker: Worker) -> None:
    """The model that is asked may be the one cell of a query's result, too."""
    assert worker.run(lambda: complete(model=row)).xcoms["return_value"] == "leap"
    assert worker.run(lambda: complete_table(model=row)).xcoms["return_value"]["errors"] == 0


@pytest.mark.parametrize("make", [complete, complete_table])
def test_models_of_a_query(
    make: Any, cortex_emulator: Emulator, connection: str, worker: Worker
) -> None:
    """Several are refused, as several jobs are."""
    result = worker.run(lambda: make(model=[("m",), ("n",)]))
    assert result.state == "failed"
    assert str(result.error).startswith("model must be one value")
    assert cortex_emulator.logins == 0


CREATED = 1_717_004_388_000
"""Epoch milliseconds, in 2024."""

TIMES: dict[str, tuple[Any, Any]] = {
    "end before the beginning": (CREATED, CREATED - 1),
    "none": (0, 0),
    "negative": (CREATED, -1),
    "in seconds": (CREATED // 1000, CREATED // 1000 + 300),
    "in microseconds": (CREATED * 1000, (CREATED + 300) * 1000),
}
"""Times that a job cannot have begun or ended at."""

TUNED = AssetAlias("tuned-models")


@pytest.mark.parametrize("which", TIMES)
@IN_EACH_MODE
def test_times_that_cannot_be(
    which: str, mode: str, cortex_emulator: Emulator, connection: str, worker: Worker
) -> None:
    """A time that cannot be is not known: no duration is made of it, and the record still has what came."""
    created_on, finished_on = TIMES[which]
    job_id = succeeded(cortex_emulator, created_on=created_on, finished_on=finished_on)
    result = worker.run(lambda: sensor(job_id, outlets=[TUNED], **in_mode(mode)))
    assert result.state == "success", result
    record = result.xcoms["finetune_job"]
    assert (record["created_on"], record["finished_on"]) == (created_on, finished_on)
    (extra,) = extras(result)
    assert extra["duration"] is None
    assert extra["validation_loss"] == 0.8
    with CortexHook() as hook:
        job = hook.describe(job_id)
    assert job.seconds is None
    assert (job.to_dict()["created_on"], job.to_dict()["finished_on"]) == (created_on, finished_on)


def extras(result: Result) -> list[dict[str, Any]]:
    """Return what the events for the alias tell."""
    accessor = result.instance.outlet_events[TUNED]
    if AIRFLOW_2:
        return [event["extra"] for event in accessor.dataset_alias_events]
    return [event.extra for event in accessor.asset_alias_events]


@pytest.mark.parametrize("which", TIMES)
def test_times_of_an_earlier_run(which: str, cortex_emulator: Emulator, connection: str) -> None:
    """Nothing is expected of a job by an earlier one whose times cannot be."""
    created_on, finished_on = TIMES[which]
    record = {
        "id": "ft_0",
        "status": "SUCCESS",
        "created_on": created_on,
        "finished_on": finished_on,
    }
    job = cortex_emulator.jobs.add(model="m", life=Life.by_time(3600))
    wait = sensor(job.id, deferrable=True, poke_interval=None, expected_duration="previous")
    context: Any = {"ti": Instance(wait, earlier=[("success", record)])}
    with pytest.raises(TaskDeferred) as deferred:
        wait.execute(context)
    assert deferred.value.trigger.serialize()[1]["expected_duration"] is None


@IN_EACH_MODE
@pytest.mark.parametrize(
    ("record", "gate"),
    [
        ({"trained_tokens": -1}, "max_trained_tokens"),
        ({"trained_tokens": "-5"}, "max_trained_tokens"),
        ({"training_result": {"validation_loss": -0.1}}, "max_validation_loss"),
        ({"training_result": [{"training_loss": 0.2}, {"training_loss": -1}]}, "max_training_loss"),
    ],
)
def test_figure_that_cannot_be(
    record: dict[str, Any],
    gate: str,
    mode: str,
    cortex_emulator: Emulator,
    connection: str,
    worker: Worker,
) -> None:
    """A negative figure is none: it passes no gate, and the record still has what came."""
    job_id = succeeded(cortex_emulator, **record)
    result = worker.run(lambda: sensor(job_id, **{gate: 1000}, **in_mode(mode)))
    assert result.state == "failed", result
    assert f"reported no {gate.removeprefix('max_')}" in causes(result)
    assert result.xcoms["finetune_job"].items() >= record.items()
    assert "model" not in result.xcoms


ERRORS: dict[str, tuple[Any, str]] = {
    "text": ("out of memory", "says: out of memory"),
    "list": (["out of memory", {"message": "out of time"}], "says: out of memory; out of time"),
    "object without message": ({"reason": "out of memory", "row": 7}, '"reason": "out of memory"'),
    "object in another language": ({"reason": "Speicher fällt aus"}, "Speicher fällt aus"),
    "object as text": ('{"code": "OOM", "message": "out of memory"}', "says: OOM: out of memory"),
    "numeric code": ({"code": 100035, "message": "out of memory"}, "says: 100035: out of memory"),
    "numeric code alone": ({"code": 100035}, "100035"),
}
"""What Cortex may report, and what a user should read."""


@IN_EACH_MODE
@pytest.mark.parametrize("form", ERRORS)
def test_error_in_any_form(
    form: str, mode: str, cortex_emulator: Emulator, connection: str, worker: Worker
) -> None:
    """Whatever form Cortex gives an error, its message is in that of the task, and the record has what came."""
    error, message = ERRORS[form]
    job = cortex_emulator.jobs.add(model="m", life=Life.by_time(3600))
    cortex_emulator.faults.add("record", requests=1)
    cortex_emulator.faults.add("record", set={"status": "ERROR", "error": error})
    result = worker.run(lambda: sensor(job.id, **in_mode(mode)))
    assert (result.state, result.deferrals) == ("failed", mode == "deferrable")
    assert message in str(result.error)
    assert "None" not in str(result.error)
    assert result.xcoms["finetune_job"]["error"] == error


LONGEST_TAG = 2000
"""Characters: https://docs.snowflake.com/en/sql-reference/parameters#query-tag."""


@pytest.mark.parametrize("task", ["start", "ask", *MODES])
@pytest.mark.parametrize(
    ("dag_id", "task_id", "run_id"),
    [
        ("d" * 250, "t" * 250, "r" * 250),
        ("ü" * 250, "задача" * 41, "発😀" * 125),
        ("d" * 250, "t" * 250, '"\\' * 125),
    ],
    ids=["long", "other letters", "quotes"],
)
def test_tag_with_long_ids(
    dag_id: str,
    task_id: str,
    run_id: str,
    task: str,
    years: None,
    cortex_emulator: Emulator,
    worker: Worker,
) -> None:
    """However long ids are, and in whatever letters, the tag is JSON that Snowflake takes, and has them."""
    job = cortex_emulator.jobs.add(model="m", life=Life.at_once())
    made: dict[str, Callable[[], Any]] = {
        "start": lambda: fine_tune(task_id=task_id),
        "ask": lambda: complete(task_id=task_id),
    } | {mode: lambda mode=mode: sensor(job.id, task_id=task_id, **in_mode(mode)) for mode in MODES}
    result = worker.run(lambda: in_dag(made[task], dag_id=dag_id), run_id=run_id, dag_id=dag_id)
    assert result.state == "success", result
    tag = cortex_emulator.statements[-1].query_tag or ""
    assert len(tag) <= LONGEST_TAG
    told = json.loads(tag)
    assert told["package"] == "airflow-provider-cortex"
    for name, whole in {"dag_id": dag_id, "task_id": task_id, "run_id": run_id}.items():
        assert len(told[name]) > 200
        assert whole.startswith(told[name])
