"""What the tasks share that may wait in the triggerer."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NoReturn

from airflow_provider_cortex.airflow_api import compat
from airflow_provider_cortex.tasks.base import CortexTask
from airflow_provider_cortex.waiting import cancelling  # no import in on_kill: a signal handler

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context
    from airflow.triggers.base import BaseTrigger

    from airflow_provider_cortex.waiting.checkpoint import Checkpoint
    from airflow_provider_cortex.waiting.wait_log import Log

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

    def record_wait(self, checkpoint: Checkpoint, context: Context) -> None:
        """Push the record by which a killed trigger knows this wait (Airflow 3.3 and later)."""
        from airflow_provider_cortex.waiting.checkpoint import KEY

        if compat.triggers_hear_of_kills():
            context["ti"].xcom_push(key=KEY, value=checkpoint.to_dict())

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

    def cancel_on_worker(
        self, subject: str, cancel: Callable[..., object], cancel_id: str, *, by_hand: str
    ) -> None:
        """
        Cancel a job or a statement of this killed task, over the open session if there is one.

        :param subject: what is cancelled, as a sentence begins with it.
        :param cancel: such as :func:`~airflow_provider_cortex.waiting.cancelling.cancel_job`.
        :param cancel_id: the id of the job or query.
        :param by_hand: the statement that cancels it by hand.
        """

        def work(log: Log) -> None:
            hook = self.open_hook
            if hook is not None and hook.is_open:
                cancel(cancel_id, hook, log=log)
                return
            timeout = cancelling.CANCEL_TIMEOUT_SECONDS
            with self.cortex_hook(network_timeout=timeout) as hook:
                cancel(cancel_id, hook, log=log)

        cancelling.cancel_before_sigkill(subject, work, sql=by_hand, log=self.log)
