"""Durations, and a rate, as users give them."""

import json
import math
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from airflow_provider_cortex.emulator import Emulator, Life
from tests.tasks import (
    IN_EACH_MODE,
    complete_table,
    sensor,
)
from tests.worker import AIRFLOW_2, Worker, in_mode

DURATIONS: dict[str, Callable[..., Any]] = {
    "contact_timeout": sensor,
    "max_poke_interval": sensor,
    "expected_duration": sensor,
    "stall_timeout": sensor,
    "table's poke_interval": complete_table,
    "table's contact_timeout": complete_table,
}

DURATION = pytest.mark.parametrize("duration", DURATIONS)


def parsed(duration: str, value: object) -> Any:
    """Return what a task makes of a duration."""
    argument = duration.rpartition(" ")[2]
    return getattr(DURATIONS[duration](**{argument: value}), argument)


@DURATION
@pytest.mark.parametrize("value", [Decimal("90.5"), Fraction(181, 2), 90.5], ids=repr)
def test_a_duration_may_be_any_real_number(value: object, duration: str) -> None:
    """Seconds may be any real number."""
    assert parsed(duration, value) == 90.5


@DURATION
@pytest.mark.parametrize("kind", ["int64", "float32", "uint16"])
def test_a_duration_may_be_a_numpy_number(kind: str, duration: str) -> None:
    """Seconds may be a NumPy number, and a trigger's arguments are still JSON."""
    numpy = pytest.importorskip("numpy")
    assert json.dumps(parsed(duration, getattr(numpy, kind)(90))) == "90.0"


@DURATION
@pytest.mark.parametrize(
    "value",
    [
        *(True, False, math.nan, math.inf, -1, "90", [90], 10**400, 1j),
        *(Decimal("NaN"), Decimal("sNaN"), Decimal("Infinity"), Decimal(-1)),
    ],
    ids=lambda value: repr(value)[:10],
)
def test_an_invalid_duration_is_rejected_when_the_dag_is_parsed(
    value: object, duration: str
) -> None:
    """What is not a number of seconds is rejected by the argument's name."""
    argument = duration.rpartition(" ")[2]
    with pytest.raises(ValueError, match=f"^{argument} must be "):
        parsed(duration, value)


@DURATION
def test_a_numpy_bool_is_no_duration(duration: str) -> None:
    """NumPy's bools are not numbers."""
    numpy = pytest.importorskip("numpy")
    argument = duration.rpartition(" ")[2]
    with pytest.raises(ValueError, match=f"^{argument} must be "):
        parsed(duration, numpy.bool_(True))


@IN_EACH_MODE
def test_a_wait_takes_decimals_for_all_durations(
    mode: str, cortex_emulator: Emulator, connection: str, worker: Worker
) -> None:
    """A sensor whose durations are all Decimals waits to the end, in every mode."""
    # In mode poke it really sleeps between two polls.
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


def test_answering_a_table_takes_decimals_for_all_durations(
    years: None, cortex_emulator: Emulator, worker: Worker
) -> None:
    """A statement that answers a table does so, too, in the triggerer."""
    cortex_emulator.query_life = Life.by_looks(2)
    decimals = {"poke_interval": Decimal(30), "contact_timeout": Decimal("60.5")}
    result = worker.run(
        lambda: complete_table(max_error_rate=Decimal("0.5"), deferrable=True, **decimals)
    )
    assert result.state == "success", result
    assert result.deferrals == 1


@pytest.mark.parametrize("rate", [True, math.nan, Decimal("NaN"), Decimal("1.1"), "0.5"], ids=repr)
def test_an_invalid_error_rate_is_rejected(rate: object) -> None:
    """An error rate must be a number from 0 to 1."""
    with pytest.raises(ValueError, match=r"^max_error_rate must be from 0 to 1"):
        complete_table(max_error_rate=rate)
