"""A table of labelled tickets: data to train a model on, and prompts to answer."""

from typing import Any

from airflow_provider_cortex.emulator import Emulator, Life
from airflow_provider_cortex.operators import CortexCompleteTableOperator, CortexFineTuneOperator
from tests.account import create_table, execute

MODEL = "CORTEX_DB.PUBLIC.lights"

QUERY = "SELECT prompt, completion FROM tickets"

PAIRS = (("red", "stop"), ("green", "go"))


def create_tickets(emulator: Emulator) -> None:
    """Create the table, in an account whose queries end at once."""
    emulator.query_life = Life.at_once()
    create_table(emulator, "tickets", PAIRS, "prompt, completion")


def add_model(emulator: Emulator) -> str:
    """Add a model that has learned the table; return its name."""
    return emulator.jobs.add(model=MODEL, pairs=PAIRS, life=Life.at_once()).model


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
    """Return the model that the last job has made, with its training and validation data."""
    (job, state), *_ = reversed(emulator.jobs.all())
    assert state.error is None
    found = emulator.jobs.model(job.model)
    assert found is not None
    return found


def answers(
    emulator: Emulator, columns: str = "prompt, answer", table: str = "answers"
) -> list[tuple[Any, ...]]:
    """Return rows of the table of answers."""
    return execute(emulator, f"SELECT {columns} FROM {table} ORDER BY 1")
