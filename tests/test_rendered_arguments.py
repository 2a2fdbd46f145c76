"""Arguments that templates render to something else than text."""

from typing import Any

import pytest
from airflow.providers.common.compat.sdk import TaskDeferred

from airflow_provider_cortex.emulator import Emulator, Life
from tests.tasks import (
    NATIVE,
    complete,
    complete_table,
    in_dag,
    render,
    sensor,
)
from tests.worker import Instance, Worker


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
def test_a_prompt_that_renders_to_a_number_is_text(
    prompt: Any, answer: Any, function: Any, years: None, worker: Worker
) -> None:
    """A prompt that renders to a number or a bool is used as text, also in a list."""
    result = render(worker, lambda: complete(prompt=prompt, function=function), year=2024)
    assert result.state == "success", result
    assert result.xcoms["return_value"] == answer


@pytest.mark.parametrize("prompt", ["None", "{{ nothing }}", "{{ [] }}", "{{ [nothing] }}"])
def test_a_prompt_that_renders_to_nothing_is_rejected(
    prompt: str, years: None, cortex_emulator: Emulator, worker: Worker
) -> None:
    """A prompt that renders to nothing is rejected by its name."""
    result = render(worker, lambda: complete(prompt=prompt), nothing=None)
    assert result.state == "failed"
    assert str(result.error).startswith("prompt ")
    assert cortex_emulator.logins == 0


@NATIVE
@pytest.mark.parametrize("value", [None, "", " "])
@pytest.mark.parametrize("argument", ["prompt_column", "prompt_expression"])
def test_a_column_that_renders_to_nothing_is_rejected(
    argument: str,
    value: object,
    native: bool,
    years: None,
    cortex_emulator: Emulator,
    worker: Worker,
) -> None:
    """A column or expression that renders to nothing is rejected by name, before any login."""
    arguments: dict[str, Any] = {"prompt_column": None, argument: "{{ value }}"}
    result = render(worker, lambda: complete_table(**arguments), native=native, value=value)
    assert result.state == "failed"
    assert str(result.error).startswith(f"{argument} ")
    assert cortex_emulator.logins == 0


@pytest.mark.parametrize("year", ["2024", "{{ year }}"])
def test_session_settings_that_render_to_numbers_are_text(
    year: str, connection: str, cortex_emulator: Emulator, worker: Worker
) -> None:
    """A warehouse, role, database or schema is text, even if it looks like a number."""
    names = {"warehouse": year, "role": "7"}
    job = cortex_emulator.jobs.add(model="m", life=Life.by_time(3600))
    wait = in_dag(lambda: sensor(job.id, deferrable=True, **names), native=True, year=2024)
    context: Any = {"ti": Instance(wait)}
    with pytest.raises(TaskDeferred) as deferred:
        wait.execute(context)
    kept = deferred.value.trigger.serialize()[1]["session"]
    assert (kept["warehouse"], kept["role"]) == ("2024", "7")
    place = in_dag(lambda: sensor(database=year, schema="7"), native=True, year=2024)
    assert place.cortex_hook().namespace().uri("m") == "snowflake://emulator/2024/7/m"
