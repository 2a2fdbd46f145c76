"""What the tasks share that may wait in the triggerer."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NoReturn

from airflow_provider_cortex.airflow_api import compat
from airflow_provider_cortex.tasks.base import CortexTask

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context
    from airflow.triggers.base import BaseTrigger

DEADLINE_MARGIN = 30.0
"""
Seconds before ``execution_timeout`` at which a deferred wait ends, so that the task can still
report it. Airflow 2.11 kills a task that resumes later without a word; 3.x never ends it.
"""

DEFERRAL_GRACE = timedelta(minutes=1)
"""After its deadline plus this, Airflow itself ends a deferral that no triggerer runs."""


class DeferrableTask(CortexTask, compat.Resumable):
    """A task that polls on the worker, or in the triggerer if it is *deferrable*."""

    deferrable: bool = False
    start_time: float | None = None
    """When the wait began, epoch seconds, once it is known."""

    def started_at(self, context: Context) -> float:
        """Return when the wait began, epoch seconds: kept through deferrals."""
        if self.start_time is None:
            # Airflow 2's dag.test() runs tasks without a start date.
            started: datetime | None = context["ti"].start_date
            self.start_time = (started or datetime.now(tz=UTC)).timestamp()
        return self.start_time

    @property
    def execution_limit(self) -> float:
        """
        Seconds after which a deferred wait ends because of ``execution_timeout``; infinite
        without one.

        On a worker Airflow enforces it by an alarm, and a deadline at the same moment would race
        with that.
        """
        if self.execution_timeout is None or not self.deferrable:
            return math.inf
        limit = self.execution_timeout.total_seconds()
        return limit - min(DEADLINE_MARGIN, limit / 10)

    def defer_to(
        self, trigger: BaseTrigger, *, deadline: float, kwargs: Mapping[str, Any] | None = None
    ) -> NoReturn:
        """
        Leave the worker: the trigger polls on.

        :param deadline: when the wait ends at the latest, epoch seconds; may be infinite.
        :param kwargs: what ``execute_complete`` gets besides the event.
        """
        timeout = None
        if deadline < math.inf:
            timeout = timedelta(seconds=max(0.0, deadline - time.time())) + DEFERRAL_GRACE
        self.defer(
            trigger=trigger,
            method_name="execute_complete",
            kwargs=dict(kwargs or {}),
            timeout=timeout,
        )
