"""Whether a model that was made is good enough to be handed on, by the figures that Cortex reports."""

from __future__ import annotations

from collections.abc import Mapping

from airflow_provider_cortex.cortex.job import FineTuneJob
from airflow_provider_cortex.errors import GateError

FIGURES = {
    "max_validation_loss": "validation_loss",
    "max_training_loss": "training_loss",
    "max_trained_tokens": "trained_tokens",
}
"""The limits, and the figure of a job that each is for."""


def check(job: FineTuneJob, model: str, limits: Mapping[str, float]) -> None:
    """
    Let a model pass whose figures keep to all *limits*.

    :param job: a job that succeeded.
    :param model: the model that it made.
    :param limits: numbers, by the arguments that set them.
    :raises GateError: if a figure is above its limit, or Cortex did not report it: nobody knows then.
    """
    figures: dict[str, float | None] = {name: getattr(job, FIGURES[name]) for name in limits}
    missed = {
        name: (FIGURES[name], figure, limits[name])
        for name, figure in figures.items()
        if figure is None or not figure <= limits[name]
    }
    if missed:
        raise GateError(job.id, model, missed)
