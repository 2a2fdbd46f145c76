"""Which models pass a gate."""

from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from airflow_provider_cortex.cortex import model_gate
from airflow_provider_cortex.cortex.job import FineTuneJob
from airflow_provider_cortex.cortex.rendered_values import number
from airflow_provider_cortex.errors import ArgumentError, GateError


def job(**fields: Any) -> FineTuneJob:
    """Return a job that succeeded."""
    figures = {"validation_loss": 1.0125, "training_loss": 0.5}
    record = {"id": "ft_1", "status": "SUCCESS", "model": "m", "trained_tokens": 2670734}
    return FineTuneJob.parse(record | {"training_result": figures} | fields)


@pytest.mark.parametrize(
    "limits",
    [
        {},
        {"max_validation_loss": 1.0125},
        {"max_training_loss": 0.6, "max_trained_tokens": 2670734.0},
    ],
)
def test_a_model_within_its_limits_passes(limits: dict[str, float]) -> None:
    """A figure may equal its limit; figures without a limit do not count."""
    model_gate.check(job(), "m", limits)


@pytest.mark.parametrize(
    ("fields", "limits", "reason"),
    [
        (
            {},
            {"max_validation_loss": 0.9},
            "validation_loss is 1.0125, above max_validation_loss = 0.9",
        ),
        ({}, {"max_training_loss": 0.0}, "training_loss is 0.5, above max_training_loss = 0."),
        (
            {},
            {"max_trained_tokens": 2e6},
            "trained_tokens is 2670734, above max_trained_tokens = 2000000.",
        ),
        (
            {"trained_tokens": None},
            {"max_trained_tokens": 2e6},
            "Cortex reported no trained_tokens to compare with max_trained_tokens = 2000000.",
        ),
        (
            {"training_result": {"validation_loss": "NaN"}},
            {"max_validation_loss": 9.0},
            "Cortex reported no validation_loss",
        ),
        (
            {"training_result": [{"training_loss": 1.0}, {"training_loss": float("nan")}]},
            {"max_training_loss": 9.0},
            "Cortex reported no training_loss",
        ),
    ],
)
def test_a_model_that_misses_a_limit_is_rejected(
    fields: dict[str, Any], limits: dict[str, float], reason: str
) -> None:
    """The error names the job, the model, the limit, and the figure above it or missing."""
    with pytest.raises(GateError) as error:
        model_gate.check(job(**fields), "DB.S.m", limits)
    assert reason in str(error.value)
    assert "Model DB.S.m of fine-tuning job ft_1 is not passed downstream" in str(error.value)


def test_all_missed_limits_are_reported_at_once() -> None:
    """A user learns of all figures after one training, not of one after each."""
    limits = {"max_validation_loss": 1.0, "max_training_loss": 0.5, "max_trained_tokens": 5.0}
    with pytest.raises(GateError) as error:
        model_gate.check(job(), "m", limits)
    assert "Model m of fine-tuning job ft_1" in error.value.summary
    assert error.value.advice == (
        "The model exists. You can try it by that name, or raise the limit and clear this task, or"
        " drop the model and train another one with other data."
    )
    assert error.value.missed == {
        "max_validation_loss": ("validation_loss", 1.0125, 1.0),
        "max_trained_tokens": ("trained_tokens", 2670734, 5.0),
    }
    assert "above max_validation_loss = 1; trained_tokens is" in str(error.value)


@pytest.mark.parametrize(
    ("value", "limit"),
    [
        *((0, 0.0), (1.5, 1.5), ("0.9", 0.9), (" 2e6\n", 2e6), (10**6, 1e6)),
        *((Decimal("0.9"), 0.9), (Fraction(1, 4), 0.25)),
        *(([1], 1.0), ([(Decimal("0.9"),)], 0.9), ([{"LOSS": 0.5}], 0.5), ("[(0.9,)]", 0.9)),
    ],
)
def test_a_limit_may_have_any_numeric_form(value: object, limit: float) -> None:
    """A limit is any real number, its text from a template, or a result of one cell."""
    assert number("max_training_loss", value) == limit


@pytest.mark.parametrize(
    "value",
    [
        "",
        "None",
        "low",
        "nan",
        "inf",
        -0.1,
        float("nan"),
        10**400,
        True,
        None,
        [True],
        1j,
        Decimal("NaN"),
    ],
    ids=repr,
)
def test_an_invalid_limit_is_rejected(value: object) -> None:
    """A limit must be a finite number of at least 0; the error names the argument."""
    with pytest.raises(
        ArgumentError, match=r"max_training_loss must be a number, at least 0"
    ) as caught:
        number("max_training_loss", value)
    assert caught.value.value is value
    assert str(value)[:9] in str(caught.value)
