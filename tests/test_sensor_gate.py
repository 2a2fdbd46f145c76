"""The sensor's gate: a model that misses a limit is not passed downstream."""

from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_cortex.emulator import Emulator
from airflow_provider_cortex.errors import GateError
from airflow_provider_cortex.sensors import CortexFineTuneSensor
from tests.tasks import IN_EACH_MODE, in_dag, sensor, succeeded
from tests.worker import Instance, Worker, in_mode


@IN_EACH_MODE
@pytest.mark.parametrize(
    ("arguments", "state"),
    [
        ({}, "failed"),
        ({"gate": "skip"}, "skipped"),
        ({"soft_fail": True}, "skipped"),
        ({"never_fail": True}, "skipped"),
    ],
)
def test_a_model_that_misses_its_gate_is_not_passed_downstream(
    arguments: dict[str, Any],
    state: str,
    mode: str,
    cortex_emulator: Emulator,
    connection: str,
    worker: Worker,
) -> None:
    """A model that misses a limit is not returned; the error names it, its job and each limit."""
    job_id = succeeded(cortex_emulator, trained_tokens=None)
    limits = {"max_validation_loss": 0.7, "max_training_loss": 0.6, "max_trained_tokens": 10}
    result = worker.run(lambda: sensor(job_id, **limits, **arguments, **in_mode(mode)))
    assert result.state == state
    assert result.deferrals == (mode == "deferrable")
    assert result.xcoms.keys() == {"finetune_job", "finetune_job_id"}
    assert result.xcoms["finetune_job"]["model"] == "DB.S.m_1"
    error = result.error
    while error is not None and not isinstance(error, GateError):
        error = error.__cause__
    assert f"Model DB.S.m_1 of fine-tuning job {job_id} is not passed downstream" in str(error)
    assert "validation_loss is 0.8, above max_validation_loss = 0.7" in str(error)
    assert "reported no trained_tokens" in str(error)
    assert "training_loss is 0.5" not in str(error)


@IN_EACH_MODE
def test_a_model_that_passes_its_gate_is_returned(
    mode: str, cortex_emulator: Emulator, connection: str, worker: Worker
) -> None:
    """A model within its limits is returned as without a gate; a limit may be a template."""
    job_id = succeeded(cortex_emulator)

    def make() -> CortexFineTuneSensor:
        return sensor(job_id, max_validation_loss="{{ limit }}", gate="skip", **in_mode(mode))

    result = worker.run(lambda: in_dag(make, limit=1.5))
    assert result.state == "success"
    assert result.xcoms["return_value"] == result.xcoms["model"] == "DB.S.m_1"


@pytest.mark.parametrize("deferrable", [True, False])
@pytest.mark.parametrize("value", ["", "None", None, "low", "-1", "nan", True], ids=repr)
def test_a_limit_that_renders_to_nothing_is_rejected_before_the_wait(
    value: object, deferrable: bool, cortex_emulator: Emulator, connection: str
) -> None:
    """A gate that everything, or nothing, would pass is rejected before the wait begins."""
    wait = sensor(deferrable=deferrable, max_training_loss="{{ limit }}")
    wait.max_training_loss = value
    context: Any = {"ti": Instance(wait)}
    with pytest.raises(AirflowFailException, match="max_training_loss must be a number"):
        wait.execute(context)
    assert cortex_emulator.logins == 0
