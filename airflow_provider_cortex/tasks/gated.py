"""A task that lets only what is good enough pass downstream."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal

from airflow.providers.common.compat.sdk import AirflowSkipException

from airflow_provider_cortex.errors import CortexError, GateError
from airflow_provider_cortex.tasks.base import CortexTask
from airflow_provider_cortex.tasks.init_checks import as_value_error, is_literal, one_of

if TYPE_CHECKING:
    from decimal import Decimal

    from airflow.providers.common.compat.sdk import XComArg

    Number = float | Decimal | str | XComArg | None

NumberReader = Callable[[str, object], float]
"""Returns the number in an argument, which is given by its name and its value."""

Gate = Literal["fail", "skip"]

GATES = ("fail", "skip")
"""What a task may do if a limit is missed."""


class GatedTask(CortexTask):
    """
    A task that compares what it has measured with limits.

    :param gate: what the task does if a limit is missed: ``"fail"``, without a retry, or
        ``"skip"``.
    """

    numbers: Mapping[str, NumberReader] = {}
    """The arguments that are numbers, such as limits, and what reads each of them."""

    def __init__(self, *, gate: Gate = "fail", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        with as_value_error():
            one_of("gate", gate, GATES)
        self.gate = gate

    def set_numbers(self, **given: Number) -> None:
        """
        Keep the arguments that are numbers. One that is neither a template nor an XCom is checked.

        :raises ValueError: if one is invalid.
        """
        for name, value in given.items():
            setattr(self, name, value)
            if value is None:
                continue
            self.remember_template(name)
            if is_literal(value):
                with as_value_error():
                    self.numbers[name](name, value)

    def read_numbers(self) -> dict[str, Any]:
        """
        Return all numbers once they are rendered: None for those that the DAG file does not set.

        :raises ArgumentError: if one is invalid, for instance because it rendered to nothing.
        """
        return {
            name: read(name, getattr(self, name)) if self.is_set(name) else None
            for name, read in self.numbers.items()
        }

    def to_airflow_exception(self, error: CortexError) -> BaseException:
        """Return what Airflow should see: as for every task, and for a missed limit."""
        if isinstance(error, GateError) and self.gate == "skip":
            return AirflowSkipException(str(error))
        return super().to_airflow_exception(error)
