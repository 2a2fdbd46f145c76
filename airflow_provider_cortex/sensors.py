"""Wait for a fine-tuning job, and hand its model on."""

from __future__ import annotations

import inspect
import math
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal, cast

from airflow.providers.common.compat.sdk import (
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowSkipException,
    AirflowTaskTimeout,
    BaseSensorOperator,
    PokeReturnValue,
    conf,
)

from airflow_provider_cortex.cortex import gate as gates
from airflow_provider_cortex.cortex.arguments import number
from airflow_provider_cortex.cortex.job import FineTuneJob
from airflow_provider_cortex.errors import (
    ArgumentError,
    CortexError,
    FineTuneCancelledError,
    FineTuneFailedError,
    FineTuneStalledError,
    FineTuneTimeoutError,
    GateError,
    TriggerCrashedError,
    cancel_job_sql,
)
from airflow_provider_cortex.tasks import assets, lineage
from airflow_provider_cortex.tasks.base import (
    DEADLINE_MARGIN,
    DEFERRAL_GRACE,
    TIME_IS_UP,
    CortexTask,
    as_value_error,
    is_known,
    seconds,
)
from airflow_provider_cortex.tasks.links import JOB_LINKS
from airflow_provider_cortex.triggers import FIRST_POLL_DELAY, CortexFineTuneTrigger
from airflow_provider_cortex.waiting import cancelling
from airflow_provider_cortex.waiting import event as events
from airflow_provider_cortex.waiting.notes import STANDING
from airflow_provider_cortex.waiting.policy import DEFAULT_MAX_INTERVAL, MIN_INTERVAL, PollPolicy
from airflow_provider_cortex.waiting.poller import DEFAULT_CONTACT_TIMEOUT, LastChange, Poller
from airflow_provider_cortex.waiting.previous_run import previous_duration
from airflow_provider_cortex.waiting.progress import ProgressLog, duration, summary
from airflow_provider_cortex.waiting.shared_client import NETWORK_TIMEOUT
from airflow_provider_cortex.waiting.store import Store
from airflow_provider_cortex.waiting.wait import Wait
from airflow_provider_cortex.waiting.watch import Watch

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context, XComArg
    from airflow.providers.openlineage.extractors import OperatorLineage

PREVIOUS: Literal["previous"] = "previous"

GATES = ("fail", "skip")
"""What a task may do whose model misses its gate."""

# Airflow's own loop, without the guard that warns of a task that runs it when it resumes.
_poke_loop = inspect.unwrap(BaseSensorOperator.execute)


class CortexFineTuneSensor(CortexTask, BaseSensorOperator):
    """
    Wait for a Snowflake Cortex fine-tuning job, and return the tuned model's name.

    XComs: ``return_value`` and ``model`` are the model's name as Cortex made it (it may differ from
    the one asked for); ``finetune_job`` is everything that Cortex told about the job, ``finetune_job_id`` its
    id, from the first look on.

    With an ``AssetAlias`` among its ``outlets`` it emits an event for
    ``snowflake://account/database/schema/model`` (on Airflow 2 a dataset's); with an ``Asset``, it emits that one's.
    The event's extra tells *model*, *base_model*, *finetune_job_id*, *training_loss*, *validation_loss*,
    *trained_tokens* and *duration*, in seconds. Where OpenLineage's provider is installed, it is told of the
    tables that the job has read and of the model.

    The task fails for good when the job ended in ERROR or was cancelled, or when Snowflake refuses to
    describe it; it times out as every sensor does; it fails, and may be retried, when nothing
    was heard of the job for *contact_timeout*. The same in every mode: poke, reschedule, deferrable.

    :param finetune_job_id: the id that CREATE returned. (templated)
    :param deferrable: wait in the triggerer, without holding a worker. By default what Airflow's
        ``[operators] default_deferrable`` says.
    :param poke_interval: seconds (or a timedelta) between two looks, always the same, as of every sensor. By
        default it depends on the job: a minute at the least, and longer while the end is far off.
    :param max_poke_interval: the most seconds (or a timedelta) between two looks, if it depends on the job.
    :param expected_duration: how many seconds (or a timedelta) the job will take from its creation, about; or
        ``"previous"``: as many as the job took for which this task waited in its last successful
        run. There is next to no look before, however long that is. Only without *poke_interval*.
    :param contact_timeout: for how many seconds on end to bear trouble that may pass: the network, an
        overloaded Snowflake, an answer that nobody can read.
    :param stall_timeout: for how many seconds (or a timedelta) the job may stand still, whatever its status: no
        change of status or progress for that long ends the wait as ``timeout`` does. By default it may for
        ever. Cortex may tell progress only in steps, one an epoch, and none while the job is PENDING:
        so give it longer than either takes. A retry counts anew. In mode ``reschedule`` it takes Airflow 3.3.
    :param skip_on_cancelled: skip the task when the job was cancelled, rather than fail it.
    :param max_validation_loss: the most that the model's validation loss may be, as Cortex reported it last;
        a number, or a template that renders to one. This and the two that follow are a gate: a model
        that misses it is not handed on. The ``finetune_job`` is there, the model's name is not. A figure that
        Cortex did not report misses its limit, too. (templated)
    :param max_training_loss: the same for the training loss. (templated)
    :param max_trained_tokens: the same for the tokens that were trained, which are what a job costs. (templated)
    :param gate: what becomes of the task when its model misses the gate: ``"fail"``, for good, since the job is
        over; or ``"skip"``.
    :param cancel_on_kill: cancel the job when this task is killed, or ended by ``execution_timeout``. A
        sensor watches a job that it did not start, so by default it never does. While the task is
        deferred this takes Airflow 3.3.
    :param kwargs: as of :class:`~airflow_provider_cortex.tasks.base.CortexTask` and of Airflow's
        ``BaseSensorOperator``: ``timeout`` in seconds, ``mode``, ``soft_fail``, ``never_fail`` …
    :raises ValueError: if an argument is of no use.
    """

    template_fields: Sequence[str] = (
        "finetune_job_id",
        *gates.FIGURES,
        *CortexTask.template_fields,
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
        max_validation_loss: float | Decimal | str | XComArg | None = None,
        max_training_loss: float | Decimal | str | XComArg | None = None,
        max_trained_tokens: float | Decimal | str | XComArg | None = None,
        gate: Literal["fail", "skip"] = "fail",
        cancel_on_kill: bool = False,
        **kwargs: Any,
    ) -> None:
        if poke_interval is not None:
            kwargs["poke_interval"] = seconds("poke_interval", poke_interval, least=0.0)
        if "timeout" in kwargs:
            kwargs["timeout"] = seconds("timeout", kwargs["timeout"], least=0.0)
        super().__init__(**kwargs)
        self.finetune_job_id = finetune_job_id
        self.deferrable = deferrable
        self.adaptive = poke_interval is None
        self.max_poke_interval = seconds("max_poke_interval", max_poke_interval)
        self.expected_duration = _expected(expected_duration)
        self.contact_timeout = seconds("contact_timeout", contact_timeout, least=0.0)
        self.stall_timeout = (
            None if stall_timeout is None else seconds("stall_timeout", stall_timeout)
        )
        self.skip_on_cancelled = skip_on_cancelled
        self.max_validation_loss = max_validation_loss
        self.max_training_loss = max_training_loss
        self.max_trained_tokens = max_trained_tokens
        self.gate = gate
        self.cancel_on_kill = cancel_on_kill
        if gate not in GATES:
            raise ValueError(f"gate must be one of {', '.join(GATES)}, and is {gate!r}.")
        self._remember_limits()
        if not MIN_INTERVAL <= self.max_poke_interval < math.inf:
            raise ValueError(
                f"max_poke_interval must be at least {MIN_INTERVAL:.0f} s, and is {max_poke_interval!r}:"
                " for shorter intervals, give poke_interval."
            )
        self.remember_template("finetune_job_id")
        self._job: FineTuneJob | None = None
        self._resumed_with: tuple[object] | None = None
        self._watch: Watch | None = None
        self._since: float | None = None
        self._time_is_up = False

    def execute(self, context: Context) -> Any:
        """Wait: Airflow's own loop, around :meth:`poke`."""
        return self._wait(context)

    def execute_complete(
        self, context: Context, event: object = None, started_at: float | None = None
    ) -> Any:
        """
        Resume with the trigger's event, through the same loop: so every mode ends alike.

        :param started_at: when the wait began, epoch seconds: Airflow 3.0 and 3.1 forget a task's start
            date when they resume it, and ``dag.test()`` drops this argument.
        """
        self._resumed_with = (event,)
        self._since = started_at
        return self._wait(context)

    def resume_execution(
        self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context
    ) -> Any:
        """
        Resume, also when Airflow gave the deferral up.

        The sensor's own version of this method skips and retries by other rules than its loop
        does, and by different ones in each release of Airflow: so it is left out.
        """
        kwargs = next_kwargs or {}
        if next_method == self.execute_complete.__name__:
            return self.execute_complete(context, **kwargs)
        # Airflow's "__fail__": the time is up and no triggerer saw to it, or the trigger crashed.
        reason = kwargs.get("error")
        if reason in TIME_IS_UP:
            self.log.warning("Airflow ended the wait in the triggerer (%s): a last look", reason)
            self._time_is_up = True
            return self._wait(context)
        self.log.error("The trigger crashed:\n%s", "".join(kwargs.get("traceback") or ()))
        return self.execute_complete(context, event=TriggerCrashedError(self._job_id(), reason))

    def poke(self, context: Context) -> PokeReturnValue | bool:
        """Look once; when the job is over, hand its model on."""
        try:
            with self.translated_errors():
                job = self._look(context)
                if job is not None:
                    return PokeReturnValue(is_done=True, xcom_value=self._hand_on(job, context))
        except AirflowTaskTimeout as timeout:
            if timeout.__cause__ is not None:  # it has been told
                raise
            raise AirflowTaskTimeout(self._fate(context)) from timeout
        if self.deferrable and self._watch is not None:
            self._hand_over(context, self._watch.poller)
        return False

    def get_openlineage_facets_on_complete(
        self, task_instance: Any
    ) -> OperatorLineage[Any, Any] | None:
        """
        Return what the job has read and made, once it is over; OpenLineage's provider calls this.

        Source: ``airflow.providers.openlineage.extractors.base.DefaultExtractor``.
        """
        return lineage.facets(self, self._job) if self._job else None

    def on_kill(self) -> None:
        """Cancel the job if that was asked for, over the session that is open if one is."""
        job_id = self._job_id()
        if not self.cancel_on_kill:
            with cancelling.aside(self.log) as log:
                log.info("Fine-tuning job %s runs on: cancel_on_kill is off.", job_id)
            return
        seen = self._watch.poller.last_seen if self._watch else None
        subject = f"Fine-tuning job {cancelling.named(seen) if seen else job_id}"
        self.cancel_on_worker(subject, cancelling.cancel_job, job_id, sql=cancel_job_sql(job_id))

    def _get_next_poke_interval(self, *arguments: Any, **options: Any) -> float:
        """Let the job or trouble say when to look, and the last look come at the deadline."""
        watch = self._watch
        if watch and (self.adaptive or watch.poller.misses) and not self.exponential_backoff:
            return watch.delay
        interval: float = super()._get_next_poke_interval(*arguments, **options)
        return interval if watch is None else min(interval, watch.poller.left)

    def _wait(self, context: Context) -> Any:
        """
        Run Airflow's loop, which may end by itself, between two looks.

        There ``execution_timeout`` may end its sleep; and it has a clock of its own for ``timeout``, which
        may be a moment ahead. It knows nothing of the job then, and its rules for soft_fail and
        never_fail are others than for what ends a look. Which of the two it hits is chance, so they
        are made alike.
        """
        try:
            return _poke_loop(self, context)
        except (AirflowTaskTimeout, AirflowSensorTimeout, AirflowSkipException) as end:
            if end.__cause__ is not None:  # it has been told
                raise
            is_skip = self.soft_fail or self.never_fail
            verdict = AirflowSkipException if is_skip else type(end)
            raise verdict(self._fate(context)) from end
        finally:
            if self._watch is not None:
                self.leave(self._watch.hook)

    def _look(self, context: Context) -> FineTuneJob | None:
        """Return the job if it is over, from the trigger's event or, without one, from Cortex."""
        job_id = self._job_id()
        self.link_job(job_id)
        resumed_with, self._resumed_with = self._resumed_with, None
        if resumed_with is not None:
            (event,) = resumed_with
            if isinstance(event, TriggerCrashedError):
                raise event
            return events.read(event, job_id=job_id)
        if self._watch is None:
            self._watch = self._new_watch(job_id, context)
        # Airflow keeps nothing of a task between two reschedules, not even since when there has been
        # trouble: so trouble is sat out here.
        job = self._watch.look(sit_out_trouble=self._is_rescheduled)
        store, standing = self._store(context), self._watch.poller.standing
        if job is None and store is not None and standing is not None:
            store.write(standing.to_dict())
        return job

    def _new_watch(self, job_id: str, context: Context) -> Watch:
        self._limits()  # of no use at the end of a wait, if they are of no use
        self.log.info("Waiting for fine-tuning job %s", job_id)
        self.push_job_id(job_id, context)
        started_at = self._started_at(context)
        poller = Poller(
            job_id=job_id,
            started_at=started_at,
            deadline=self._deadline(context),
            policy=self._policy(context),
            contact_timeout=self.contact_timeout,
            stall_timeout=self.stall_timeout,
            clock=time.time,
        )
        store = self._store(context)
        if store is not None:
            poller.resume(LastChange.read(store.read()))
        self.open_hook = self.cortex_hook(context, network_timeout=NETWORK_TIMEOUT)
        return Watch(
            job_id=job_id,
            hook=self.open_hook,
            poller=poller,
            narrator=ProgressLog(started_at),
            log=self.log,
        )

    def _policy(self, context: Context) -> PollPolicy:
        """Return when a worker looks. It leaves a fixed interval to Airflow's own loop."""
        if not self.adaptive:
            # The next look may be the triggerer's first.
            return PollPolicy(
                interval=max(self.poke_interval, FIRST_POLL_DELAY if self.deferrable else 0.0)
            )
        return PollPolicy(
            longest=self.max_poke_interval,
            expected_duration=self._expected_seconds(context),
            # On the grid, unless it is another process that looks next: that one does not know that it was due.
            offset=None if self._is_rescheduled else 0.0,
        )

    @property
    def _is_rescheduled(self) -> bool:
        """Whether it is another process of this task that looks next."""
        return self.reschedule and not self.deferrable

    def _store(self, context: Context) -> Store | None:
        """
        Return where to note for that process since when the job has stood still; None if nobody asks.

        :raises ArgumentError: if this Airflow keeps nothing from one such process to the next.
        """
        if self.stall_timeout is None or not self._is_rescheduled:
            return None
        store = Store(context, STANDING, self.log)
        if not store.is_there:
            raise ArgumentError(
                "stall_timeout",
                self.stall_timeout,
                "takes Airflow 3.3 or later in mode 'reschedule': earlier ones keep nothing of a task until it"
                " looks again. Use deferrable=True or mode='poke'.",
            )
        return store

    def _expected_seconds(self, context: Context) -> float | None:
        """Return how many seconds the job will take, about: None if nobody knows."""
        if self.expected_duration != PREVIOUS:
            return self.expected_duration
        seconds = previous_duration(context["ti"])
        if seconds is None:
            self.log.info("No job of an earlier run says how long this one will take.")
        else:
            self.log.info("The job of the last successful run took %s.", duration(seconds))
        return seconds

    def _hand_on(self, job: FineTuneJob, context: Context) -> str:
        """Push what is known of the job, and return its model's name, if the model passes the gate."""
        self._job = job
        ti = context["ti"]
        if self.do_xcom_push:
            ti.xcom_push(key="finetune_job", value=job.to_dict())
        model = job.outcome()
        self.log.info("%s", summary(job))
        gates.check(job, model, self._limits())
        if self.do_xcom_push:
            ti.xcom_push(key="model", value=model)
        assets.emit(self, context, job, model)
        return model

    def _remember_limits(self) -> None:
        """
        Keep which limits are set, and check those that no template is to render.

        :raises ValueError: if one is of no use.
        """
        for name in gates.FIGURES:
            value = getattr(self, name)
            if value is None:
                continue
            self.remember_template(name)
            if is_known(value):
                with as_value_error():
                    number(name, value)

    def _limits(self) -> dict[str, float]:
        """
        Return the limits that are set, once they are rendered.

        :raises ArgumentError: if one is of no use: not least one that rendered to nothing.
        """
        return {
            name: number(name, getattr(self, name)) for name in gates.FIGURES if self.is_set(name)
        }

    def _hand_over(self, context: Context, poller: Poller) -> None:
        """Leave the worker: the triggerer waits on."""
        policy, standing = poller.policy, poller.standing
        deadline = self._deadline(context)
        left = timedelta(seconds=max(0.0, deadline - time.time()))
        if self.cancel_on_kill:
            Wait(context["ti"], self._started_at(context)).begin()
        self.defer(
            trigger=CortexFineTuneTrigger(
                finetune_job_id=self._job_id(),
                session=self.cortex_session(context).to_dict(),
                started_at=self._started_at(context),
                deadline=deadline,
                poke_interval=None if self.adaptive else self.poke_interval,
                max_poke_interval=policy.longest,
                expected_duration=policy.expected_duration,
                contact_timeout=self.contact_timeout,
                stall_timeout=self.stall_timeout,
                standing=standing.to_dict() if standing else None,
                cancel_on_kill=self.cancel_on_kill,
            ),
            method_name=self.execute_complete.__name__,
            kwargs={"started_at": self._started_at(context)},
            timeout=left + DEFERRAL_GRACE,
        )

    def verdict(self, error: CortexError) -> BaseException:
        """Return what *error* means to Airflow: as for every task, and for how a wait ends."""
        match error:
            case FineTuneCancelledError() if self.skip_on_cancelled:
                return AirflowSkipException(str(error))
            case GateError() if self.gate == "skip":
                return AirflowSkipException(str(error))
            case FineTuneFailedError() | FineTuneCancelledError() | GateError():
                return AirflowFailException(str(error))
            case FineTuneTimeoutError() if self._limit is not None:
                return AirflowTaskTimeout(str(error))
            case FineTuneTimeoutError() | FineTuneStalledError():
                return AirflowSensorTimeout(str(error))
            case _:
                return super().verdict(error)

    def _fate(self, context: Context) -> str:
        """Return what Airflow's own timeouts lack: what is known of the job."""
        waited = max(0.0, time.time() - self._started_at(context))
        last_seen = self._watch.poller.last_state if self._watch else "never seen"
        return str(FineTuneTimeoutError(self._job_id(), waited, last_seen))

    def _job_id(self) -> str:
        # A template may well leave a line end around it.
        return self.required_cell("finetune_job_id").strip()

    def _started_at(self, context: Context) -> float:
        """Return when this wait began, epoch seconds: kept through deferrals and reschedules."""
        if self._since is None:
            ti = context["ti"]
            rescheduled = _first_reschedule_date(ti, context) if self.reschedule else None
            # Airflow 2's dag.test() runs tasks without a start date.
            started: datetime | None = ti.start_date
            self._since = (rescheduled or started or datetime.now(tz=UTC)).timestamp()
        return self._since

    def _deadline(self, context: Context) -> float:
        """Return when the wait ends at the latest, epoch seconds."""
        if self._time_is_up:
            return time.time()
        limit = self._limit
        seconds = self.timeout if limit is None else limit - min(DEADLINE_MARGIN, limit / 10)
        return self._started_at(context) + seconds

    @property
    def _limit(self) -> float | None:
        """
        Seconds of ``execution_timeout``, if that is what ends the wait in the triggerer.

        On a worker Airflow sees to it, by an alarm: a deadline at the same moment would race with that.
        """
        if self.execution_timeout is None or not self.deferrable:
            return None
        limit = self.execution_timeout.total_seconds()
        return limit if limit <= self.timeout else None


def _expected(value: float | timedelta | str | None) -> float | Literal["previous"] | None:
    """Return what *expected_duration* says, a duration in seconds."""
    if value is None:
        return None
    if value == PREVIOUS:
        return PREVIOUS
    if isinstance(value, str):
        raise ValueError(  # noqa: TRY004 - as Airflow raises for arguments
            f"expected_duration must be seconds, more than 0, or a timedelta, or {PREVIOUS!r}, and is {value!r}."
        )
    return seconds("expected_duration", value)


def _first_reschedule_date(ti: Any, context: Context) -> datetime | None:
    """Return when a rescheduled sensor looked for the first time, as Airflow's own loop does."""
    if hasattr(ti, "get_first_reschedule_date"):  # Airflow 3
        return cast("datetime | None", ti.get_first_reschedule_date(context))
    from airflow.sensors.base import _orig_start_date

    first_try = (ti.max_tries or 0) - (ti.task.retries or 0) + 1
    first = _orig_start_date(ti.dag_id, ti.task_id, ti.run_id, ti.map_index, first_try)
    return cast("datetime | None", first)
