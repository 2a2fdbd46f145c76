"""Wait for a fine-tuning job, and return its model."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal, NoReturn

from airflow.providers.common.compat.sdk import (
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowSkipException,
    AirflowTaskTimeout,
    PokeReturnValue,
    conf,
)

from airflow_provider_cortex.airflow_api import compat
from airflow_provider_cortex.errors import (
    CortexError,
    FineTuneCancelledError,
    FineTuneFailedError,
    FineTuneStalledError,
    FineTuneTimeoutError,
    TriggerCrashedError,
    cancel_job_sql,
)
from airflow_provider_cortex.safe_text import for_log
from airflow_provider_cortex.tasks.deferrable import DeferrableTask
from airflow_provider_cortex.tasks.init_checks import expected_seconds, seconds
from airflow_provider_cortex.tasks.links import JOB_LINKS
from airflow_provider_cortex.tasks.model_delivery import ModelDelivery
from airflow_provider_cortex.waiting import cancelling  # no import in on_kill: a signal handler
from airflow_provider_cortex.waiting.default_times import (
    DEFAULT_CONTACT_TIMEOUT,
    DEFAULT_MAX_INTERVAL,
    MIN_INTERVAL,
    POLL_TIMEOUT_SECONDS,
)

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context, XComArg

    from airflow_provider_cortex.cortex.job import FineTuneJob
    from airflow_provider_cortex.tasks.base import Number
    from airflow_provider_cortex.tasks.wait_on_worker import JobWait

ENDS = (AirflowTaskTimeout, AirflowSensorTimeout, AirflowSkipException)
"""What Airflow's loop raises when it ends a wait, besides a poll's own error."""


class CortexFineTuneSensor(ModelDelivery, DeferrableTask, compat.PokeLoop):
    """
    Wait for a Snowflake Cortex fine-tuning job, and return the tuned model's name.

    XComs: ``return_value`` and ``model`` are the model's name as Cortex returned it (it may
    differ from the requested one); ``finetune_job`` is the whole record of the job;
    ``finetune_job_id`` is its id, from the first poll on.

    With an ``AssetAlias`` among its ``outlets`` it emits an event for
    ``snowflake://account/database/schema/model`` (a dataset on Airflow 2); with an ``Asset``, for
    that one. The event's extra has *model*, *base_model*, *finetune_job_id*, *training_loss*,
    *validation_loss*, *trained_tokens* and *duration*, in seconds. If OpenLineage's provider is
    installed, it gets the tables that the job has read, and the model.

    In every mode (poke, reschedule, deferrable) the task fails without a retry if the job ended
    in ERROR or was cancelled, or if Snowflake rejects the poll. It times out like every sensor.
    It fails, and may be retried, if no poll succeeds for *contact_timeout* after a failed one.

    :param finetune_job_id: the id that CREATE returned. (templated)
    :param deferrable: wait in the triggerer, without holding a worker. By default as Airflow's
        ``[operators] default_deferrable`` says.
    :param poke_interval: seconds (or a timedelta) between two polls, if they are fixed. By
        default they depend on the job: at least a minute, and more while the end is far off.
    :param max_poke_interval: the most seconds (or a timedelta) between two polls, if they depend
        on the job. With *expected_duration* a pause may be longer: up to 4 times the job's age.
    :param expected_duration: about how many seconds (or a timedelta) the job takes from its
        creation; or ``"previous"``: as long as this task's last job took that ended in SUCCESS.
        Before that there are hardly any polls. Ignored with *poke_interval*.
    :param contact_timeout: seconds (or a timedelta) to keep retrying through transient errors: the
        network, an overloaded Snowflake, an unreadable answer.
    :param stall_timeout: seconds (or a timedelta) that the job may go without a change of status
        or progress; then the wait ends as by ``timeout``. By default forever. Cortex may report
        progress only once an epoch, and none while the job is PENDING: choose a longer time than
        either takes. A retry counts anew. In mode ``reschedule`` it needs Airflow 3.3.
    :param skip_on_cancelled: skip the task when the job was cancelled, instead of failing it.
    :param max_validation_loss: the highest validation loss that the model may have, as Cortex
        reported it last; a number, or a template that renders to one. This and the next two are a
        gate: the name of a model that misses it is not returned, but ``finetune_job`` is pushed.
        A figure that Cortex did not report misses its limit, too. (templated)
    :param max_training_loss: the same for the training loss. (templated)
    :param max_trained_tokens: the same for the trained tokens, which are billed. (templated)
    :param gate: what the task does if its model misses the gate: ``"fail"``, without a retry,
        since the job has finished; or ``"skip"``.
    :param cancel_on_kill: cancel the job when this task is killed, or ended by
        ``execution_timeout``. A sensor did not start the job, so by default it never does. While
        the task is deferred this needs Airflow 3.3.
    :param kwargs: as of :class:`~airflow_provider_cortex.tasks.base.CortexTask` and of Airflow's
        ``BaseSensorOperator``: ``mode``, ``soft_fail``, ``never_fail``, ``timeout`` in seconds or as
        a timedelta, counted from the task's first start (Airflow's default is 7 days) …
    :raises ValueError: if an argument is invalid.
    """

    template_fields: Sequence[str] = (
        "finetune_job_id",
        *ModelDelivery.template_fields,
    )
    operator_extra_links = JOB_LINKS
    ui_color = "#d6f0fa"

    def __init__(
        self,
        *,
        finetune_job_id: str | XComArg,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        poke_interval: float | timedelta | None = None,
        max_poke_interval: float | timedelta = DEFAULT_MAX_INTERVAL,
        expected_duration: float | timedelta | Literal["previous"] | None = None,
        contact_timeout: float | timedelta = DEFAULT_CONTACT_TIMEOUT,
        stall_timeout: float | timedelta | None = None,
        skip_on_cancelled: bool = False,
        max_validation_loss: Number = None,
        max_training_loss: Number = None,
        max_trained_tokens: Number = None,
        gate: Literal["fail", "skip"] = "fail",
        cancel_on_kill: bool = False,
        **kwargs: Any,
    ) -> None:
        if poke_interval is not None:
            kwargs["poke_interval"] = seconds("poke_interval", poke_interval, least=0.0)
        if "timeout" in kwargs:
            kwargs["timeout"] = seconds("timeout", kwargs["timeout"], least=0.0)
        super().__init__(
            max_validation_loss=max_validation_loss,
            max_training_loss=max_training_loss,
            max_trained_tokens=max_trained_tokens,
            gate=gate,
            **kwargs,
        )
        self.finetune_job_id = finetune_job_id
        self.deferrable = deferrable
        self.adaptive = poke_interval is None
        self.max_poke_interval = seconds("max_poke_interval", max_poke_interval)
        self.expected_duration = expected_seconds(expected_duration)
        self.contact_timeout = seconds("contact_timeout", contact_timeout, least=0.0)
        self.stall_timeout = (
            None if stall_timeout is None else seconds("stall_timeout", stall_timeout)
        )
        self.skip_on_cancelled = skip_on_cancelled
        self.cancel_on_kill = cancel_on_kill
        if not MIN_INTERVAL <= self.max_poke_interval < math.inf:
            raise ValueError(
                f"max_poke_interval must be at least {MIN_INTERVAL:.0f} s; got {max_poke_interval!r}."
                " For shorter intervals use poke_interval."
            )
        self.remember_template("finetune_job_id")
        self._job_wait: JobWait | None = None
        self._resumed_job: Callable[[str], FineTuneJob] | None = None
        self._time_is_up = False

    # --- How Airflow runs it -----------------------------------------------------------------------

    def execute(self, context: Context) -> Any:
        """Wait: Airflow's own loop, around :meth:`poke`."""
        return self._wait(context)

    def execute_complete(
        self, context: Context, event: object = None, started_at: float | None = None
    ) -> Any:
        """
        Resume with the trigger's event, through the same loop: so every mode ends alike.

        :param started_at: when the wait began, epoch seconds: Airflow 3.0 and 3.1 lose a task's
            start date when they resume it. ``dag.test()`` drops this argument.
        """
        from airflow_provider_cortex.waiting import event as events

        self.start_time = started_at
        self._resumed_job = lambda job_id: events.read(event, job_id=job_id)
        return self._wait(context)

    def deferral_timed_out(self, context: Context) -> Any:
        """Resume after the deferral's timeout, and poll a last time."""
        self.log.warning("Airflow ended the wait in the triggerer: polling a last time")
        self._time_is_up = True
        return self._wait(context)

    def trigger_crashed(self, context: Context, reason: str) -> Any:
        """
        Resume after the trigger ended without an event, and fail by the rules of the poke loop.
        """

        def crashed(job_id: str) -> FineTuneJob:
            raise TriggerCrashedError(job_id, reason)

        self._resumed_job = crashed
        return self._wait(context)

    def poke(self, context: Context) -> PokeReturnValue | bool:
        """
        Return the model if the job has finished: by the trigger's event, or by one poll.

        If it has not, a deferrable sensor leaves the worker.
        """
        with self.translated_errors():
            job_id = self._job_id()
            self.link_job(job_id)
            resumed, self._resumed_job = self._resumed_job, None
            job = resumed(job_id) if resumed else self._poll(job_id, context)
            if job is None:
                return False
            return PokeReturnValue(is_done=True, xcom_value=self.deliver(job, context))

    def next_pause(self, fixed: Callable[[], float]) -> float:
        """
        Return the seconds to the next poll on this worker; the last one comes at the deadline.
        """
        wait = self._job_wait
        if wait is None or wait.delay is None:
            return fixed()
        poller = wait.poller
        is_chosen = (self.adaptive or poller.failures) and not self.exponential_backoff
        if is_chosen or poller.pause_in_tests is not None:
            return wait.delay
        return min(fixed(), poller.seconds_left)

    def on_kill(self) -> None:
        """Cancel the job if *cancel_on_kill* is set, over the open session if there is one."""
        super().on_kill()
        job_id = self._job_id()
        if not self.cancel_on_kill:
            with cancelling.signal_safe_log(self.log) as log:
                log.info(
                    "Fine-tuning job %s is still running: cancel_on_kill is off", for_log(job_id)
                )
            return
        name = self._job_wait.job_and_owner if self._job_wait else for_log(job_id)
        by_hand = cancel_job_sql(job_id)
        self.cancel_on_worker(
            f"Fine-tuning job {name}", cancelling.cancel_job, job_id, by_hand=by_hand
        )

    def to_airflow_exception(self, error: CortexError) -> BaseException:
        """Return what Airflow should see: as for every task, and for how a wait ends."""
        match error:
            case FineTuneCancelledError() if self.skip_on_cancelled:
                return AirflowSkipException(str(error))
            case FineTuneFailedError() | FineTuneCancelledError():
                return AirflowFailException(str(error))
            case FineTuneTimeoutError() if self._ends_by_execution_timeout:
                return AirflowTaskTimeout(str(error))
            case FineTuneTimeoutError() | FineTuneStalledError():
                return AirflowSensorTimeout(str(error))
            case _:
                return super().to_airflow_exception(error)

    # --- One wait ----------------------------------------------------------------------------------

    def _wait(self, context: Context) -> Any:
        """
        Run Airflow's loop, and close the session.

        Airflow ends a wait by its clock for ``timeout``, or by the alarm of ``execution_timeout``,
        during a poll or between two. Its message does not name the job, nor does that of soft_fail
        and never_fail, which have other rules between two polls. When it ends is chance, so all
        end alike.
        """
        try:
            return self.run_poke_loop(context)
        except ENDS as end:
            causes = list(_causes(end))
            is_skipped = self.soft_fail or self.never_fail
            if is_skipped and any(isinstance(cause, AirflowTaskTimeout) for cause in causes):
                self.on_kill()  # Airflow calls it only if the task fails by execution_timeout
            exception = AirflowSkipException if is_skipped else type(end)
            if isinstance(causes[-1], ENDS):
                raise exception(self._timeout_message(context)) from end
            if not is_skipped:
                raise  # what ended a poll knows the job
            raise exception(str(causes[1])) from causes[1]
        finally:
            if self.open_hook is not None:
                self.close_hook(self.open_hook)

    def _poll(self, job_id: str, context: Context) -> FineTuneJob | None:
        """Return the job if it has finished; else leave the worker, if the sensor is deferrable."""
        if self._job_wait is None:
            self._job_wait = self._start(job_id, context)
        job = self._job_wait.poll()
        if job is None and self.deferrable:
            self._defer(self._job_wait, context)
        return job

    def _start(self, job_id: str, context: Context) -> JobWait:
        """Begin to poll on this worker."""
        # A DAG file is parsed every 30 s, and polls nothing.
        from airflow_provider_cortex.tasks.wait_on_worker import JobWait

        self.limits()  # an invalid limit must not show only when the job has finished
        self.log.info("Waiting for fine-tuning job %s", for_log(job_id))
        self.push_job_id(job_id, context)
        started_at = self.started_at(context)
        longest = self.execution_limit if self._ends_by_execution_timeout else self.timeout
        self.open_hook = self.cortex_hook(context, network_timeout=POLL_TIMEOUT_SECONDS)
        return JobWait(
            job_id,
            self.open_hook,
            context,
            started_at=started_at,
            deadline=time.time() if self._time_is_up else started_at + longest,
            poke_interval=None if self.adaptive else self.poke_interval,
            max_poke_interval=self.max_poke_interval,
            expected_duration=self.expected_duration,
            contact_timeout=self.contact_timeout,
            stall_timeout=self.stall_timeout,
            deferrable=self.deferrable,
            reschedule=self.reschedule,
            log=self.log,
        )

    def _defer(self, wait: JobWait, context: Context) -> NoReturn:
        """Leave the worker: the triggerer polls on."""
        poller = wait.poller
        if self.cancel_on_kill:
            self.record_wait(poller.checkpoint, context)
        session = self.session_settings(context).to_dict()
        self.defer_to(
            wait.trigger(session, cancel_on_kill=self.cancel_on_kill),
            deadline=poller.deadline,
            kwargs={"started_at": poller.started_at},
        )

    def _job_id(self) -> str:
        return self.required_cell("finetune_job_id").strip()  # a template may end with a line break

    # --- Times -------------------------------------------------------------------------------------

    def started_at(self, context: Context) -> float:
        """Return when this wait began, epoch seconds: kept through deferrals and reschedules."""
        if self.start_time is None and self.reschedule:
            rescheduled = compat.first_reschedule_date(context["ti"], context)
            self.start_time = rescheduled.timestamp() if rescheduled else None
        return super().started_at(context)

    def _timeout_message(self, context: Context) -> str:
        """Return what Airflow's own timeouts do not say: the job, and its last known state."""
        waited = max(0.0, time.time() - self.started_at(context))
        last_state = self._job_wait.poller.last_state if self._job_wait else "never seen"
        return str(FineTuneTimeoutError(self._job_id(), waited, last_state))

    @property
    def _ends_by_execution_timeout(self) -> bool:
        """Whether ``execution_timeout`` ends the wait in the triggerer, and not ``timeout``."""
        limit = self.execution_timeout
        return limit is not None and self.deferrable and limit.total_seconds() <= self.timeout


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error, its cause, the cause of that, and so on to the first one."""
    while error is not None:
        yield error
        error = error.__cause__
