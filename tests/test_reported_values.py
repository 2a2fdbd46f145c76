"""What Cortex reports of a job, when it is odd: times, figures and errors."""

from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AssetAlias, TaskDeferred

from airflow_provider_cortex.emulator import Emulator, Life
from airflow_provider_cortex.hooks import CortexHook
from tests.tasks import (
    IN_EACH_MODE,
    causes,
    sensor,
    succeeded,
)
from tests.worker import AIRFLOW_2, Instance, Result, Worker, in_mode

CREATED = 1_717_004_388_000
"""Epoch milliseconds, in 2024."""

TIMES: dict[str, tuple[Any, Any]] = {
    "end before the beginning": (CREATED, CREATED - 1),
    "none": (0, 0),
    "negative": (CREATED, -1),
    "in seconds": (CREATED // 1000, CREATED // 1000 + 300),
    "in microseconds": (CREATED * 1000, (CREATED + 300) * 1000),
}
"""Times at which a job cannot have started or ended: created_on and finished_on."""

TUNED = AssetAlias("tuned-models")


@pytest.mark.parametrize("which", TIMES)
@IN_EACH_MODE
def test_impossible_times_count_as_unknown(
    which: str, mode: str, cortex_emulator: Emulator, connection: str, worker: Worker
) -> None:
    """An impossible time gives no duration, and the record keeps what Cortex returned."""
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
    """Return the extras of the alias's events."""
    accessor = result.instance.outlet_events[TUNED]
    if AIRFLOW_2:
        return [event["extra"] for event in accessor.dataset_alias_events]
    return [event.extra for event in accessor.asset_alias_events]


@pytest.mark.parametrize("which", TIMES)
def test_an_earlier_job_with_impossible_times_predicts_nothing(
    which: str, cortex_emulator: Emulator, connection: str
) -> None:
    """No duration is expected because of an earlier job whose times are impossible."""
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
def test_a_negative_figure_passes_no_gate(
    record: dict[str, Any],
    gate: str,
    mode: str,
    cortex_emulator: Emulator,
    connection: str,
    worker: Worker,
) -> None:
    """A negative figure counts as not reported, and the record keeps what Cortex returned."""
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
def test_an_error_of_any_form_is_shown_with_its_message(
    form: str, mode: str, cortex_emulator: Emulator, connection: str, worker: Worker
) -> None:
    """The task's error contains Cortex's message, and the record keeps the error's form."""
    error, message = ERRORS[form]
    job = cortex_emulator.jobs.add(model="m", life=Life.by_time(3600))
    cortex_emulator.faults.add("record", requests=1)
    cortex_emulator.faults.add("record", set={"status": "ERROR", "error": error})
    result = worker.run(lambda: sensor(job.id, **in_mode(mode)))
    assert (result.state, result.deferrals) == ("failed", mode == "deferrable")
    assert message in str(result.error)
    assert "None" not in str(result.error)
    assert result.xcoms["finetune_job"]["error"] == error
