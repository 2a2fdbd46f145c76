"""Mappings as arguments: as JSON text, from templates, and with a database's numbers."""

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from airflow_provider_cortex.emulator import Emulator, Life
from tests.account import execute
from tests.tasks import (
    NATIVE,
    cancel,
    complete,
    complete_table,
    fine_tune,
    render,
    sensor,
)
from tests.worker import MODES, Worker, in_mode

EPOCHS = "{{ {'max_epochs': epochs} | tojson }}"


@NATIVE
@pytest.mark.parametrize("epochs", [2, "2"])
def test_options_may_render_to_json_text(
    epochs: object, native: bool, connection: str, cortex_emulator: Emulator, worker: Worker
) -> None:
    """Options may be a template that renders to a JSON object."""
    result = render(worker, lambda: fine_tune(options=EPOCHS), native=native, epochs=epochs)
    assert result.state == "success", result
    ((job, _),) = cortex_emulator.jobs.all()
    assert job.options == {"max_epochs": 2}


@pytest.mark.parametrize("options", [{"max_epochs": Decimal(2)}, "null", "{}", " {} \n", {}, None])
def test_options_may_hold_decimals_or_be_empty(
    options: Any, connection: str, cortex_emulator: Emulator, worker: Worker
) -> None:
    """Options may hold a database's numbers; an empty mapping means no options."""
    result = worker.run(lambda: fine_tune(options=options))
    assert result.state == "success", result
    ((job, _),) = cortex_emulator.jobs.all()
    assert job.options == ({"max_epochs": 2} if options and "max_epochs" in options else None)


FORMAT = "{{ {'type': 'json', 'schema': {'properties': {'kind': {'type': 'string'}}}} | tojson }}"
PARAMETERS = "{{ {'temperature': t, 'max_tokens': 7} | tojson }}"


@NATIVE
@pytest.mark.parametrize("function", ["AI_COMPLETE", "COMPLETE"])
def test_parameters_and_format_of_a_prompt_may_render_to_json_text(
    function: Any, native: bool, years: None, cortex_emulator: Emulator, worker: Worker
) -> None:
    """A model's parameters and the format of its answer may be such templates, too."""
    arguments = {"model_parameters": PARAMETERS, "response_format": FORMAT, "function": function}
    result = render(worker, lambda: complete(**arguments), native=native, t=0)
    assert result.state == "success", result
    assert result.xcoms["return_value"] == {"kind": "leap"}
    (sent,) = [one.sql for one in cortex_emulator.statements if "COMPLETE" in one.sql]
    assert '"temperature": 0' in sent.replace("\\", "")
    assert '"max_tokens": 7' in sent.replace("\\", "")


@NATIVE
def test_parameters_and_format_of_a_table_may_render_to_json_text(
    native: bool, years: None, cortex_emulator: Emulator, worker: Worker
) -> None:
    """The same is true for a table."""
    arguments = {"model_parameters": PARAMETERS, "response_format": FORMAT}
    result = render(worker, lambda: complete_table(**arguments), native=native, t=0)
    assert result.state == "success", result
    ((answer,),) = execute(cortex_emulator, "SELECT answer FROM answers")
    assert json.loads(answer) == {"kind": "leap"}
    (sent,) = [query.sql for query in cortex_emulator.queries.all()]
    assert '"temperature": 0' in sent.replace("\\", "")


@pytest.mark.parametrize("function", ["AI_COMPLETE", "COMPLETE"])
@pytest.mark.parametrize("format_", [None, {"type": "json", "schema": {"properties": {}}}])
def test_parameters_may_be_decimals(
    format_: Any, function: Any, years: None, cortex_emulator: Emulator, worker: Worker
) -> None:
    """A model's parameters may be Decimals: they are sent as numbers."""
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
def test_session_parameters_may_render_to_json_text(
    task: str, native: bool, years: None, cortex_emulator: Emulator, worker: Worker
) -> None:
    """Session parameters may be such a template, for every task and in every mode."""
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
def test_text_that_is_no_json_object_is_rejected(
    which: str, connection: str, cortex_emulator: Emulator, worker: Worker
) -> None:
    """Any other text is rejected by the argument's name, not retried, and nothing is sent."""
    argument = which.rpartition(" ")[2]
    for value in NO_OBJECTS:
        result = worker.run(lambda value=value: OBJECTS[which](**{argument: value}))  # type: ignore[misc]
        assert (result.state, result.deferrals) == ("failed", 0), value
        assert str(result.error).startswith(f"{argument} "), value
        assert "JSON object" in str(result.error), value
    assert cortex_emulator.logins == 0
