"""A task that lets only what is good enough pass downstream."""

from __future__ import annotations

from typing import Any, Literal

from airflow.providers.common.compat.sdk import AirflowSkipException

from airflow_provider_cortex.errors import CortexError, GateError
from airflow_provider_cortex.tasks.base import CortexTask
from airflow_provider_cortex.tasks.init_checks import as_value_error, one_of

Gate = Literal["fail", "skip"]

GATES = ("fail", "skip")
"""What a task may do if a limit is missed."""


class GatedTask(CortexTask):
    """
    A task that compares what it has measured with limits.

    :param gate: what the task does if a limit is missed: ``"fail"``, without a retry, or
        ``"skip"``.
    """

    def __init__(self, *, gate: Gate = "fail", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        with as_value_error():
            one_of("gate", gate, GATES)
        self.gate = gate

    def to_airflow_exception(self, error: CortexError) -> BaseException:
        """Return what Airflow should see: as for every task, and for a missed limit."""
        if isinstance(error, GateError) and self.gate == "skip":
            return AirflowSkipException(str(error))
        return super().to_airflow_exception(error)
