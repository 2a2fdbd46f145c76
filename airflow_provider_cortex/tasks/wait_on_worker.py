"""The wait for a fine-tuning job on one worker, until the triggerer polls on."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from airflow_provider_cortex.cortex.job import FineTuneJob
from airflow_provider_cortex.cortex.owner_comment import job_and_owner
from airflow_provider_cortex.errors import CortexError
from airflow_provider_cortex.safe_text import for_log
from airflow_provider_cortex.tasks.init_checks import PREVIOUS
from airflow_provider_cortex.tasks.model_delivery import JOB_RECORD
from airflow_provider_cortex.waiting.checkpoint import KEY, Checkpoint
from airflow_provider_cortex.waiting.poll_times import PollPolicy
from airflow_provider_cortex.waiting.poller import FIRST_POLL_DELAY, JobPoller, attempt
from airflow_provider_cortex.waiting.previous_duration import previous_duration
from airflow_provider_cortex.waiting.task_state_store import store_for_stalls
from airflow_provider_cortex.waiting.wait_log import Log, ProgressLog, duration

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_cortex.hooks import CortexHook
    from airflow_provider_cortex.triggers import CortexFineTuneTrigger


class JobWait:
    """
    The wait for a job in one process of a sensor.

    :param job_id: the job.
    :param hook: the task's session.
    :param context: the task's.
    :param started_at: when the wait began, epoch seconds.
    :param deadline: when it ends at the latest, epoch seconds.
    :param poke_interval: seconds between two polls; None makes it depend on the job.
    :param reschedule: whether each poll has a process of its own, unless *deferrable*.
    :param log: the task's.

    The others are arguments of :class:`~airflow_provider_cortex.sensors.CortexFineTuneSensor`.

    :raises ArgumentError: if this Airflow has no store for *stall_timeout*.
    """

    delay: float | None = None
    """Seconds to the next poll; None if the last one has ended in an error that ends the wait."""

    def __init__(
        self,
        job_id: str,
        hook: CortexHook,
        context: Context,
        *,
        started_at: float,
        deadline: float,
        poke_interval: float | None,
        max_poke_interval: float,
        expected_duration: float | Literal["previous"] | None,
        contact_timeout: float,
        stall_timeout: float | None,
        deferrable: bool,
        reschedule: bool,
        log: Log,
    ) -> None:
        self._hook = hook
        self._poke_interval = poke_interval
        # Whether another process on a worker polls next.
        self._is_rescheduled = reschedule and not deferrable
        if poke_interval is None:
            policy = PollPolicy(
                longest=max_poke_interval,
                expected_duration=_expected_seconds(expected_duration, context, log),
                # On the grid, unless another process polls next: it does not know that it was due.
                offset=None if self._is_rescheduled else 0.0,
            )
        else:
            # A fixed interval is left to Airflow's own loop. The next poll may be the triggerer's.
            least = FIRST_POLL_DELAY if deferrable else 0.0
            policy = PollPolicy(interval=max(poke_interval, least))
        self.poller = JobPoller(
            job_id=job_id,
            started_at=started_at,
            deadline=deadline,
            policy=policy,
            contact_timeout=contact_timeout,
            stall_timeout=stall_timeout,
            report=ProgressLog(log=log, started_at=started_at, clock=time.time),
            clock=time.time,
        )
        self._store = None
        if self._is_rescheduled and stall_timeout is not None:
            # Where that process finds since when the job has not changed.
            self._store = store_for_stalls(context, KEY, stall_timeout, log)
            self.poller.resume(Checkpoint.read(self._store.read()))

    @property
    def job_and_owner(self) -> str:
        """The job's id and, once a poll has shown it, which task started the job."""
        seen = self.poller.last_seen
        return job_and_owner(seen) if seen else for_log(self.poller.job_id)

    def poll(self) -> FineTuneJob | None:
        """
        Poll, and return the job if it has finished.

        :raises CortexError: what ends the wait before that.
        """
        poller = self.poller
        while True:
            self.delay = None
            outcome = attempt(lambda: self._hook.describe(poller.job_id))
            delay = poller.after_poll(outcome)
            if delay is None and isinstance(outcome, FineTuneJob):
                return outcome
            self.delay = delay or 0.0
            # Airflow keeps nothing of an outage from one rescheduled poll to the next.
            if not (isinstance(outcome, CortexError) and self._is_rescheduled):
                break
            time.sleep(self.delay)
        if self._store is not None:
            self._store.write(poller.checkpoint.to_dict())
        return None

    def trigger(self, session: Mapping[str, Any], *, cancel_on_kill: bool) -> CortexFineTuneTrigger:
        """Return what polls on in the triggerer."""
        from airflow_provider_cortex.triggers import CortexFineTuneTrigger

        poller = self.poller
        return CortexFineTuneTrigger(
            finetune_job_id=poller.job_id,
            session=session,
            started_at=poller.started_at,
            deadline=poller.deadline,
            poke_interval=self._poke_interval,
            max_poke_interval=poller.policy.longest,
            expected_duration=poller.policy.expected_duration,
            contact_timeout=poller.contact_timeout,
            stall_timeout=poller.stall_timeout,
            checkpoint=poller.checkpoint.to_dict(),
            cancel_on_kill=cancel_on_kill,
        )


def _expected_seconds(
    expected: float | Literal["previous"] | None, context: Context, log: Log
) -> float | None:
    """Return about how many seconds the job takes, None if unknown."""
    if expected != PREVIOUS:
        return expected
    previous = previous_duration(context["ti"], JOB_RECORD)
    if previous is None:
        log.info("No earlier run of this task says how long its job takes")
    else:
        log.info("The job of the last successful run took %s", duration(previous))
    return previous
