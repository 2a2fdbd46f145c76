"""Wait for a fine-tuning job, and return its model."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
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

from airflow_provider_cortex.cortex.job import FineTuneJob
from airflow_provider_cortex.errors import (
    CortexError,
    FineTuneCancelledError,
    FineTuneFailedError,
    FineTuneStalledError,
    FineTuneTimeoutError,
    GateError,
    TriggerCrashedError,
    cancel_job_sql,
)
from airflow_provider_cortex.tasks.init_checks import PREVIOUS, expected_seconds, seconds
from airflow_provider_cortex.tasks.links import JOB_LINKS
from airflow_provider_cortex.tasks.model_delivery import JOB_RECORD, ModelDelivery
from airflow_provider_cortex.tasks.waiting_sensor import WaitingSensor
from airflow_provider_cortex.waiting import cancelling  # no import in on_kill: a signal handler
from airflow_provider_cortex.waiting import event as events
from airflow_provider_cortex.waiting.checkpoint import KEY as CHECKPOINT_KEY
from airflow_provider_cortex.waiting.checkpoint import Checkpoint
from airflow_provider_cortex.waiting.poll_times import (
    DEFAULT_MAX_INTERVAL,
    MIN_INTERVAL,
    PollPolicy,
)
from airflow_provider_cortex.waiting.poller import (
    DEFAULT_CONTACT_TIMEOUT,
    FIRST_POLL_DELAY,
    POLL_TIMEOUT_SECONDS,
    JobPoller,
    attempt,
)
from airflow_provider_cortex.waiting.task_store import TaskStore, store_for_stalls
from airflow_provider_cortex.waiting.wait_log import ProgressLog, duration

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context, XComArg

    from airflow_provider_cortex.tasks.model_delivery import Limit


class CortexFineTuneSensor(ModelDelivery, WaitingSensor):
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
    It fails, and may be retried, if no poll succeeded for *contact_timeout*.

    :param finetune_job_id: the id that CREATE returned. (templated)
    :param deferrable: wait in the triggerer, without holding a worker. By default as Airflow's
        ``[operators] default_deferrable`` says.
    :param poke_interval: seconds (or a timedelta) between two polls, if they are fixed. By
        default they depend on the job: at least a minute, and more while the end is far off.
    :param max_poke_interval: the most seconds (or a timedelta) between two polls, if they depend
        on the job.
    :param expected_duration: about how many seconds (or a timedelta) the job takes from its
        creation; or ``"previous"``: as long as the job of this task's last successful run took.
        Before that there are hardly any polls. Only without *poke_interval*.
    :param contact_timeout: seconds to keep retrying through transient errors: the network, an
        overloaded Snowflake, an unreadable answer.
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
        ``BaseSensorOperator``: ``timeout`` in seconds, ``mode``, ``soft_fail``, ``never_fail`` …
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
        max_validation_loss: Limit = None,
        max_training_loss: Limit = None,
        max_trained_tokens: Limit = None,
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
        self._poller: JobPoller | None = None
        self._delay: float | None = None
        self._resumed_job: Callable[[str], FineTuneJob] | None = None
        self._time_is_up = False

    # --- How Airflow runs it -----------------------------------------------------------------------

    def execute(self, context: Context) -> Any:
        """Wait: Airflow's own loop, around :meth:`poke`."""
        return self.wait(context)

    def execute_complete(
        self, context: Context, event: object = None, started_at: float | None = None
    ) -> Any:
        """
        Resume with the trigger's event, through the same loop: so every mode ends alike.

        :param started_at: when the wait began, epoch seconds: Airflow 3.0 and 3.1 lose a task's
            start date when they resume it. ``dag.test()`` drops this argument.
        """
        self.start_time = started_at
        self._resumed_job = lambda job_id: events.read(event, job_id=job_id)
        return self.wait(context)

    def deferral_timed_out(self, context: Context) -> Any:
        """Resume after the deferral's timeout, and poll a last time."""
        self.log.warning("Airflow ended the wait in the triggerer: polling a last time")
        self._time_is_up = True
        return self.wait(context)

    def trigger_crashed(self, context: Context, reason: str) -> Any:
        """
        Resume after the trigger ended without an event, and fail by the rules of the poke loop.
        """

        def crashed(job_id: str) -> FineTuneJob:
            raise TriggerCrashedError(job_id, reason)

        self._resumed_job = crashed
        return self.wait(context)

    def poll_once(self, context: Context) -> PokeReturnValue | bool:
        """Poll once; when the job has finished, return its model."""
        with self.translated_errors():
            try:
                job = self._finished_job(context)
                if job is not None:
                    return PokeReturnValue(is_done=True, xcom_value=self.deliver(job, context))
                if self.deferrable:
                    self._defer(context)
            except AirflowTaskTimeout as timeout:
                raise AirflowTaskTimeout(self.timeout_message(context)) from timeout
        return False

    def next_pause(self, fixed: Callable[[], float]) -> float:
        """
        Return the seconds to the next poll on this worker; the last one comes at the deadline.
        """
        poller = self._poller
        if poller is None or self._delay is None:
            return fixed()
        if (self.adaptive or poller.failures) and not self.exponential_backoff:
            return self._delay
        return min(fixed(), poller.seconds_left)

    def on_kill(self) -> None:
        """Cancel the job if *cancel_on_kill* is set, over the open session if there is one."""
        job_id = self._job_id()
        if not self.cancel_on_kill:
            with cancelling.signal_safe_log(self.log) as log:
                log.info("Fine-tuning job %s is still running: cancel_on_kill is off", job_id)
            return
        seen = self._poller.last_seen if self._poller else None
        subject = f"Fine-tuning job {cancelling.job_and_owner(seen) if seen else job_id}"
        by_hand = cancel_job_sql(job_id)
        self.cancel_on_worker(subject, cancelling.cancel_job, job_id, by_hand=by_hand)

    def to_airflow_exception(self, error: CortexError) -> BaseException:
        """Return what Airflow should see: as for every task, and for how a wait ends."""
        match error:
            case FineTuneCancelledError() if self.skip_on_cancelled:
                return AirflowSkipException(str(error))
            case GateError() if self.gate == "skip":
                return AirflowSkipException(str(error))
            case FineTuneFailedError() | FineTuneCancelledError() | GateError():
                return AirflowFailException(str(error))
            case FineTuneTimeoutError() if self._ends_by_execution_timeout:
                return AirflowTaskTimeout(str(error))
            case FineTuneTimeoutError() | FineTuneStalledError():
                return AirflowSensorTimeout(str(error))
            case _:
                return super().to_airflow_exception(error)

    # --- One wait on this worker -------------------------------------------------------------------

    def _finished_job(self, context: Context) -> FineTuneJob | None:
        """Return the job if it has finished: from the trigger's event, or by one poll."""
        job_id = self._job_id()
        self.link_job(job_id)
        resumed, self._resumed_job = self._resumed_job, None
        if resumed is not None:
            return resumed(job_id)
        if self._poller is None:
            self._poller = self._start(job_id, context)
        poller, hook = self._poller, self.open_hook
        assert hook is not None  # noqa: S101 - _start sets it
        while True:
            self._delay = None  # a poll that ends in an error has none
            outcome = attempt(lambda: hook.describe(job_id))
            delay = poller.after_poll(outcome)
            if delay is None and isinstance(outcome, FineTuneJob):
                return outcome
            self._delay = delay or 0.0
            # Airflow keeps nothing of an outage from one rescheduled poll to the next.
            if not (isinstance(outcome, CortexError) and self._is_rescheduled):
                break
            time.sleep(self._delay)
        store = self._store(context)
        if store is not None:
            store.write(poller.checkpoint.to_dict())
        return None

    def _start(self, job_id: str, context: Context) -> JobPoller:
        """Begin to poll on this worker."""
        self.limits()  # an invalid limit must not show only when the job has finished
        self.log.info("Waiting for fine-tuning job %s", job_id)
        self.push_job_id(job_id, context)
        started_at = self.started_at(context)
        poller = JobPoller(
            job_id=job_id,
            started_at=started_at,
            deadline=self._deadline(context),
            policy=self._policy(context),
            contact_timeout=self.contact_timeout,
            stall_timeout=self.stall_timeout,
            report=ProgressLog(log=self.log, started_at=started_at, clock=time.time),
            clock=time.time,
        )
        store = self._store(context)
        if store is not None:
            poller.resume(Checkpoint.read(store.read()))
        self.open_hook = self.cortex_hook(context, network_timeout=POLL_TIMEOUT_SECONDS)
        return poller

    def _policy(self, context: Context) -> PollPolicy:
        """Return when a worker polls. A fixed interval is left to Airflow's own loop."""
        if not self.adaptive:
            # The next poll may be the triggerer's first.
            least = FIRST_POLL_DELAY if self.deferrable else 0.0
            return PollPolicy(interval=max(self.poke_interval, least))
        return PollPolicy(
            longest=self.max_poke_interval,
            expected_duration=self._expected_seconds(context),
            # On the grid, unless another process polls next: it does not know that it was due.
            offset=None if self._is_rescheduled else 0.0,
        )

    def _expected_seconds(self, context: Context) -> float | None:
        """Return about how many seconds the job takes, None if unknown."""
        if self.expected_duration != PREVIOUS:
            return self.expected_duration
        from airflow_provider_cortex.waiting.previous_duration import previous_duration

        previous = previous_duration(context["ti"], JOB_RECORD)
        if previous is None:
            self.log.info("No earlier run of this task says how long its job takes")
        else:
            self.log.info("The job of the last successful run took %s", duration(previous))
        return previous

    @property
    def _is_rescheduled(self) -> bool:
        """Whether another process of this task polls next."""
        return self.reschedule and not self.deferrable

    def _store(self, context: Context) -> TaskStore | None:
        """
        Return where that process finds since when the job has not changed; None if it need not.
        """
        if self.stall_timeout is None or not self._is_rescheduled:
            return None
        return store_for_stalls(context, CHECKPOINT_KEY, self.stall_timeout, self.log)

    def _defer(self, context: Context) -> NoReturn:
        """Leave the worker: the triggerer polls on."""
        # A DAG file is parsed every 30 s, and needs no trigger.
        from airflow_provider_cortex.triggers import CortexFineTuneTrigger

        poller = self._poller
        assert poller is not None  # noqa: S101 - a poll came before
        deadline = self._deadline(context)
        if self.cancel_on_kill:
            self.record_wait(poller.checkpoint, context)
        self.defer_to(
            CortexFineTuneTrigger(
                finetune_job_id=poller.job_id,
                session=self.session_settings(context).to_dict(),
                started_at=poller.started_at,
                deadline=deadline,
                poke_interval=None if self.adaptive else self.poke_interval,
                max_poke_interval=poller.policy.longest,
                expected_duration=poller.policy.expected_duration,
                contact_timeout=self.contact_timeout,
                stall_timeout=self.stall_timeout,
                checkpoint=poller.checkpoint.to_dict(),
                cancel_on_kill=self.cancel_on_kill,
            ),
            deadline=deadline,
            kwargs={"started_at": poller.started_at},
        )

    # --- Times -------------------------------------------------------------------------------------

    def timeout_message(self, context: Context) -> str:
        """Return what Airflow's own timeouts do not say: the job, and its last known state."""
        waited = max(0.0, time.time() - self.started_at(context))
        last_state = self._poller.last_state if self._poller else "never seen"
        return str(FineTuneTimeoutError(self._job_id(), waited, last_state))

    def _job_id(self) -> str:
        return self.required_cell("finetune_job_id").strip()  # a template may end with a line break

    def _deadline(self, context: Context) -> float:
        """Return when the wait ends at the latest, epoch seconds."""
        if self._time_is_up:
            return time.time()
        seconds = self.execution_limit if self._ends_by_execution_timeout else self.timeout
        return self.started_at(context) + seconds

    @property
    def _ends_by_execution_timeout(self) -> bool:
        """Whether ``execution_timeout`` ends the wait in the triggerer, and not ``timeout``."""
        limit = self.execution_timeout
        return limit is not None and self.deferrable and limit.total_seconds() <= self.timeout
