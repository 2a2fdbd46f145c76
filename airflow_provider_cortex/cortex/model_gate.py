"""Whether a tuned model is good enough to be passed downstream, by the figures Cortex reports."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from airflow_provider_cortex.errors import GateError, Missed

if TYPE_CHECKING:
    from airflow_provider_cortex.cortex.job import FineTuneJob

FIGURES = {
    "max_validation_loss": "validation_loss",
    "max_training_loss": "training_loss",
    "max_trained_tokens": "trained_tokens",
}
"""Each limit's argument, and the job's figure that it limits."""


def check(job: FineTuneJob, model: str, limits: Mapping[str, float]) -> None:
    """
    Check that the figures of a model do not exceed their limits.

    :param job: a job that succeeded.
    :param model: the model that it made.
    :param limits: numbers, by the arguments that set them.
    :raises GateError: if a figure exceeds its limit, or Cortex did not report it.
    """
    missed: dict[str, Missed] = {}
    for argument, limit in limits.items():
        reported: float | None = getattr(job, FIGURES[argument])
        # Not ">": a NaN misses its limit, too.
        if reported is None or not reported <= limit:
            missed[argument] = (FIGURES[argument], reported, limit)
    if missed:
        reasons = "; ".join(_in_words(argument, *gap) for argument, gap in missed.items())
        raise GateError(
            f"Model {model} of fine-tuning job {job.id} is not passed downstream: {reasons}.",
            "The model exists. You can try it by that name, or raise the limit and clear this task,"
            " or drop the model and train another one with other data.",
            missed,
        )


def _in_words(argument: str, figure: str, reported: float | None, limit: float) -> str:
    allowed = f"{argument} = {_digits(limit)}"
    if reported is None:
        return f"Cortex reported no {figure} to compare with {allowed}"
    return f"{figure} is {_digits(reported)}, above {allowed}"


def _digits(number: float) -> str:
    """Return a number with all its digits; a whole one without a decimal point."""
    return f"{number:.0f}" if number == int(number) else repr(number)
