"""A sensor that knows what it waits for, however its wait ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import (
    AirflowSensorTimeout,
    AirflowSkipException,
    AirflowTaskTimeout,
    PokeReturnValue,
)

from airflow_provider_cortex.airflow_api import compat
from airflow_provider_cortex.tasks.deferrable import DeferrableTask

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context


class WaitingSensor(DeferrableTask, compat.PokeLoop):
    """
    A sensor whose wait ends between two polls as it does in a poll.

    Between two polls ``execution_timeout`` may interrupt the sleep of Airflow's loop, and the
    loop's own clock for ``timeout`` may be a moment ahead. The loop knows nothing of the job, and
    has other rules for soft_fail and never_fail than for a poll. Which of the two it meets is
    chance, so both end alike.
    """

    _poll_error: BaseException | None = None

    def poll_once(self, context: Context) -> PokeReturnValue | bool:
        """Poll once, with errors as Airflow takes them."""
        raise NotImplementedError

    def timeout_message(self, context: Context) -> str:
        """Return what Airflow's own timeouts do not say: the job, and its last known state."""
        raise NotImplementedError

    def poke(self, context: Context) -> PokeReturnValue | bool:
        """Poll once, in Airflow's loop."""
        try:
            return self.poll_once(context)
        except BaseException as error:
            self._poll_error = error
            raise

    def wait(self, context: Context) -> Any:
        """Run Airflow's loop, and close the session."""
        try:
            return self.run_poke_loop(context)
        except (AirflowTaskTimeout, AirflowSensorTimeout, AirflowSkipException) as end:
            if self._poll_error and self._poll_error in {end, end.__cause__}:
                raise  # what ended a poll knows the job
            is_skipped = self.soft_fail or self.never_fail
            exception = AirflowSkipException if is_skipped else type(end)
            raise exception(self.timeout_message(context)) from end
        finally:
            self._poll_error = None  # its traceback holds this task
            if self.open_hook is not None:
                self.close_hook(self.open_hook)

    def started_at(self, context: Context) -> float:
        """Return when this wait began, epoch seconds: kept through deferrals and reschedules."""
        if self.start_time is None and self.reschedule:
            rescheduled = compat.first_reschedule_date(context["ti"], context)
            self.start_time = rescheduled.timestamp() if rescheduled else None
        return super().started_at(context)
