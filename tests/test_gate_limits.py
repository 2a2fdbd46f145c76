"""The limits of a gate, as Airflow delivers them: from databases, and from templates."""

import math
from decimal import Decimal

import pytest

from airflow_provider_cortex.emulator import Emulator
from airflow_provider_cortex.sensors import CortexFineTuneSensor
from tests.tasks import (
    IN_EACH_MODE,
    NATIVE,
    causes,
    in_dag,
    sensor,
    succeeded,
)
from tests.worker import Worker, in_mode

GATES = ("max_validation_loss", "max_training_loss", "max_trained_tokens")


@IN_EACH_MODE
@pytest.mark.parametrize(
    ("limits", "missed"),
    [
        (("0.9", "0.6", "1e2"), None),
        (("0.8", "0.5", "100"), None),
        (("0.79", "0.6", "100"), "validation_loss is 0.8, above max_validation_loss = 0.79"),
        (("0.9", "0.49", "100"), "training_loss is 0.5, above max_training_loss = 0.49"),
        (("0.9", "0.5", "99"), "trained_tokens is 100, above max_trained_tokens = 99"),
    ],
)
def test_a_limit_may_be_a_decimal_or_a_query_result(
    limits: tuple[str, str, str],
    missed: str | None,
    mode: str,
    cortex_emulator: Emulator,
    connection: str,
    worker: Worker,
) -> None:
    """A Decimal, or the one cell of a query's result, is a limit as any number: in every mode."""
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
def test_a_limit_may_be_a_numpy_number(
    mode: str, cortex_emulator: Emulator, connection: str, worker: Worker
) -> None:
    """NumPy's numbers are limits, too."""
    numpy = pytest.importorskip("numpy")
    job_id = succeeded(cortex_emulator)
    limits = {"max_validation_loss": numpy.float32(0.75), "max_trained_tokens": numpy.int64(100)}
    result = worker.run(lambda: sensor(job_id, **limits, **in_mode(mode)))
    assert result.state == "failed"
    assert "above max_validation_loss = 0.75" in causes(result)
    assert "trained_tokens" not in causes(result)


@NATIVE
@IN_EACH_MODE
@pytest.mark.parametrize(
    "limit",
    [Decimal("0.7"), [(0.7,)], [[0.7]], (0.7,), " 0.7\n", [(Decimal("0.7"),)]],
    ids=["Decimal", "row", "list", "tuple", "text", "row of a Decimal"],
)
def test_a_limit_may_be_a_template(
    limit: object,
    mode: str,
    native: bool,
    cortex_emulator: Emulator,
    connection: str,
    worker: Worker,
) -> None:
    """A template may render to a limit: to text, or to the value itself."""
    job_id = succeeded(cortex_emulator)

    def make() -> CortexFineTuneSensor:
        return sensor(job_id, max_validation_loss="{{ limit }}", **in_mode(mode))

    result = worker.run(lambda: in_dag(make, native=native, limit=limit))
    assert result.state == "failed"
    assert "validation_loss is 0.8, above max_validation_loss = 0.7" in causes(result)


NO_LIMITS = [True, False, math.nan, math.inf, -1, Decimal("NaN"), Decimal("sNaN"), Decimal(-1)]


@pytest.mark.parametrize("gate", GATES)
@pytest.mark.parametrize("value", [*NO_LIMITS, "nan", "low", "", "True"], ids=repr)
def test_an_invalid_limit_is_rejected_when_the_dag_is_parsed(value: object, gate: str) -> None:
    """A limit that nothing or everything would pass is rejected by its name."""
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
"""What a template may render to that is no limit, and what the error says."""


@IN_EACH_MODE
def test_a_template_that_renders_to_no_limit_fails_before_the_wait(
    mode: str, cortex_emulator: Emulator, connection: str, worker: Worker
) -> None:
    """A template that renders to an invalid limit fails the task at once, in every mode."""

    def make() -> CortexFineTuneSensor:
        return sensor(max_training_loss="{{ limit }}", **in_mode(mode))

    for value, problem in NOT_RENDERED:
        result = worker.run(lambda value=value: in_dag(make, native=True, limit=value))  # type: ignore[misc]
        assert (result.state, result.deferrals) == ("failed", 0), value
        assert str(result.error).startswith("max_training_loss "), value
        assert problem in str(result.error), value
    assert cortex_emulator.logins == 0


def test_a_numpy_bool_is_no_limit(
    cortex_emulator: Emulator, connection: str, worker: Worker
) -> None:
    """NumPy's bools are not numbers."""
    numpy = pytest.importorskip("numpy")
    result = worker.run(lambda: sensor(max_training_loss=[(numpy.bool_(True),)], deferrable=True))
    assert result.state == "failed"
    assert "max_training_loss must be a number" in str(result.error)
    assert cortex_emulator.logins == 0
