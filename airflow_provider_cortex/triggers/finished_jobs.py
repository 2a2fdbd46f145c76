"""
Fire for each fine-tuning job of an account that finishes, wherever it was started.

What only a running trigger needs is imported where it runs: a DAG file makes a trigger, too.
"""

from __future__ import annotations

import asyncio
import inspect
import json
from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import timedelta
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import TriggerEvent

from airflow_provider_cortex.airflow_api import asset_watching
from airflow_provider_cortex.cortex.rendered_values import number, text
from airflow_provider_cortex.errors import (
    TRANSIENT_ERRORS,
    ArgumentError,
    CortexError,
    EmptyArgumentError,
)
from airflow_provider_cortex.safe_text import excerpt, for_log
from airflow_provider_cortex.triggers.waits import Clock, SystemClock, offset, public_path
from airflow_provider_cortex.waiting.default_times import MIN_INTERVAL
from airflow_provider_cortex.waiting.shared_client import SharedClient

if TYPE_CHECKING:
    from airflow_provider_cortex.cortex.finetune import JobOrError
    from airflow_provider_cortex.cortex.finished_jobs import FinishedJobs, Wanted
    from airflow_provider_cortex.cortex.job import FineTuneJob
    from airflow_provider_cortex.cortex.session_settings import SessionSettings
    from airflow_provider_cortex.waiting.reported_jobs import ReportedJobs

STATUSES = ("CANCELLED", "ERROR", "SUCCESS")
"""Those of a job that has finished."""

SETTLE_SECONDS = 10.0
"""
After an event so long passes before its job counts as reported. A triggerer needs about a second
to write an event into Airflow's database; if it dies before that, the next one fires again.
"""

REJECTED_PAUSE = 15 * 60.0
"""
Seconds to the next try after a permanent error; they double each time. Snowflake locks a user out
after some rejected logins in a row.
"""

MAX_REJECTED_PAUSE = 60 * 60.0

SESSION_OVERRIDES = ("warehouse", "database", "schema", "role", "authenticator")
"""Arguments that override the connection's fields."""


class CortexJobTrigger(asset_watching.BaseEventTrigger):  # type: ignore[misc]
    """
    Fire once for each fine-tuning job of the account that finishes, wherever it was started: for
    Airflow's ``AssetWatcher``. Airflow 3.0 and later.

    The event's payload is the job's record as DESCRIBE returns it. Texts longer than 1,000
    characters are cut, and a record of more than 16,000 lacks its longest fields.

    Watchers with the same connection and session share one SHOW for each poll. Only the jobs that
    have newly finished are described.

    A job that had finished before the watcher's first poll is not reported. Airflow 3.3 and later
    keep what a watcher has reported: a new triggerer goes on from there. Earlier ones keep nothing:
    there a job is missed that finishes while no triggerer runs the watcher.

    :param snowflake_conn_id: the Airflow connection's id.
    :param warehouse: overrides the connection's, as do the next four.
    :param database: as *warehouse*.
    :param schema: as *warehouse*.
    :param role: as *warehouse*.
    :param authenticator: as *warehouse*.
    :param status: fire for jobs that end in this status, or in one of several: ``SUCCESS``,
        ``ERROR``, ``CANCELLED``. By default in any.
    :param base_model: fire only for jobs with this base model.
    :param model: fire only for jobs that made this model: its name, with or without database and
        schema. The name without the suffix that Cortex appends matches each version. Only a job in
        ``SUCCESS`` names its model.
    :param poke_interval: seconds (or a timedelta) between two polls.
    :raises ArgumentError: if an argument is invalid.
    :raises AirflowOptionalProviderFeatureException: on Airflow 2.
    """

    def __init__(
        self,
        *,
        snowflake_conn_id: str = "snowflake_default",
        warehouse: str | None = None,
        database: str | None = None,
        schema: str | None = None,
        role: str | None = None,
        authenticator: str | None = None,
        status: str | Sequence[str] | None = None,
        base_model: str | None = None,
        model: str | None = None,
        poke_interval: float | timedelta = MIN_INTERVAL,
    ) -> None:
        asset_watching.check_watchers(type(self).__name__)
        super().__init__()
        self.snowflake_conn_id = _given("snowflake_conn_id", snowflake_conn_id)
        self.warehouse = _optional("warehouse", warehouse)
        self.database = _optional("database", database)
        self.schema = _optional("schema", schema)
        self.role = _optional("role", role)
        self.authenticator = _optional("authenticator", authenticator)
        self.status = None if status is None else _statuses(status)
        self.base_model = _optional("base_model", base_model)
        self.model = _optional("model", model)
        if self.model is not None:
            from airflow_provider_cortex.cortex import identifiers

            identifiers.parse_argument("model", self.model)
        self.poke_interval = _seconds("poke_interval", poke_interval)
        self.clock: Clock = SystemClock()

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """
        Return this trigger's class and arguments, for Airflow's database.

        Airflow knows a watcher by them. They are plain and only those that are given, since its
        releases differ in how they compare others.
        """
        names = inspect.signature(type(self)).parameters
        values = {name: getattr(self, name) for name in names}
        given = {name: value for name, value in values.items() if value is not None}
        return public_path(type(self)), given

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Fire for each job that finishes, for ever: Airflow starts a trigger that ends again."""
        from airflow_provider_cortex.cortex.finished_jobs import FinishedJobs, record
        from airflow_provider_cortex.waiting.reported_jobs import ReportedJobs

        reported = ReportedJobs(asset_watching.asset_states(self), self._key)
        finished: FinishedJobs | None = None
        pauses = _Pauses(self.poke_interval, offset(self._session), self.clock)
        self.log.info("Watching the fine-tuning jobs of connection %r", self.snowflake_conn_id)
        with SharedClient.shared(self._session).watching() as client:
            while True:
                began = self.clock.time()
                jobs: list[FineTuneJob] = []
                try:
                    if finished is None:
                        finished = FinishedJobs(await reported.load())
                    jobs = await self._newly_finished(client, finished)
                    next_poll = pauses.after_answer(began)
                except CortexError as error:
                    next_poll = pauses.after_failure(error)
                    self._log_failure(error, next_poll - self.clock.time())
                for job in jobs:
                    self.log.info("Fine-tuning job %s: %s", for_log(job.id), job.state)
                    yield TriggerEvent(record(job))
                if jobs:
                    await self.clock.sleep(pauses.settle)
                if finished is not None and finished.reported is not None:
                    await self._save(reported, finished.reported)
                await self.clock.sleep(max(0.0, next_poll - self.clock.time()))

    async def _newly_finished(
        self, client: SharedClient, finished: FinishedJobs
    ) -> list[FineTuneJob]:
        """
        List the account's jobs, and return those to fire for, as DESCRIBE reports them.

        :raises CortexError: if they cannot be listed.
        """
        listed = await client.list_all()
        if isinstance(listed, CortexError):
            raise listed
        wanted = self._wanted
        new = finished.new(listed)
        asked = [job.id for job in new if wanted.may_be(job)]
        outcomes = dict(
            zip(asked, await asyncio.gather(*[_describe(client, i) for i in asked]), strict=True)
        )
        found = []
        for job in new:
            described = self._described(job, outcomes.get(job.id, job), finished)
            if described is not None and described.is_finished:
                finished.report(job)
                if wanted.has(described):
                    found.append(described)
        return found

    def _described(
        self, job: FineTuneJob, outcome: JobOrError, finished: FinishedJobs
    ) -> FineTuneJob | None:
        """Return a job as DESCRIBE, or in the end SHOW, reports it; None to try again."""
        if not isinstance(outcome, CortexError):
            return outcome
        # Of an outage no number of tries says anything about the job.
        if isinstance(outcome, TRANSIENT_ERRORS) or finished.try_again(job):
            self.log.warning("%s; trying again at the next poll", str(outcome).rstrip("."))
            return None
        self.log.error(
            "Fine-tuning job %s has finished, but cannot be described: only its id, status, base"
            " model and creation time are known. Grant the connection's role what it lacks. (%s)",
            for_log(job.id),
            outcome,
        )
        return job

    async def _save(self, reported: ReportedJobs, ids: tuple[str, ...]) -> None:
        if not await reported.save(ids):
            self.log.warning(
                "Airflow's asset state store does not answer: a new triggerer may fire again for"
                " the jobs that finished last"
            )

    def _log_failure(self, error: CortexError, delay: float) -> None:
        from airflow_provider_cortex.waiting.wait_log import duration

        message = "%s; next poll of the fine-tuning jobs in %s"
        log = self.log.warning if isinstance(error, TRANSIENT_ERRORS) else self.log.error
        log(message, str(error).rstrip("."), duration(delay))

    @property
    def _wanted(self) -> Wanted:
        from airflow_provider_cortex.cortex.finished_jobs import Wanted
        from airflow_provider_cortex.cortex.job import JobStatus

        return Wanted(
            statuses=frozenset(map(JobStatus, self.status or STATUSES)),
            base_model=self.base_model,
            model=self.model,
        )

    @property
    def _session(self) -> SessionSettings:
        from airflow_provider_cortex.cortex.session_settings import SessionSettings

        return SessionSettings(
            snowflake_conn_id=self.snowflake_conn_id,
            **{name: getattr(self, name) for name in SESSION_OVERRIDES},
        )

    @property
    def _key(self) -> str:
        """What names this watcher among those of an asset: all arguments but its interval."""
        _, arguments = self.serialize()
        del arguments["poke_interval"]
        known = json.dumps(arguments, sort_keys=True)
        return f"cortex_jobs_{blake2b(known.encode(), digest_size=8).hexdigest()}"


class _Pauses:
    """
    When a watcher polls next, epoch seconds.

    :param interval: seconds between two polls.
    :param offset: of the marks that the watchers of a session share, seconds.
    """

    def __init__(self, interval: float, offset: float, clock: Clock) -> None:
        from airflow_provider_cortex.airflow_api.settings import poll_seconds_in_tests
        from airflow_provider_cortex.waiting.poll_times import PollPolicy

        self._clock = clock
        self._usual = PollPolicy(interval=interval, offset=offset)
        self._rejected = PollPolicy(interval=REJECTED_PAUSE, longest=MAX_REJECTED_PAUSE)
        self._failed: PollPolicy | None = None
        self._failures = 0
        self._in_tests = poll_seconds_in_tests()

    @property
    def settle(self) -> float:
        """Seconds after an event until it counts as reported."""
        return SETTLE_SECONDS if self._in_tests is None else self._in_tests

    def after_answer(self, began: float) -> float:
        """Return when to poll after a poll that began at a moment, and was answered."""
        self._failed = None
        now = self._clock.time()
        at = began if now - began <= self._usual.least / 2 else now  # a statement takes time
        return self._bounded(self._usual.next_poll(None, at=at, started_at=at))

    def after_failure(self, error: CortexError) -> float:
        """Return when to poll after a failed poll: each one in a row lengthens the pause."""
        policy = self._usual if isinstance(error, TRANSIENT_ERRORS) else self._rejected
        self._failures = self._failures + 1 if policy is self._failed else 1
        self._failed = policy
        return self._bounded(policy.next_retry(at=self._clock.time(), failures=self._failures))

    def _bounded(self, moment: float) -> float:
        now = self._clock.time()
        if self._in_tests is not None:
            return now + self._in_tests
        return max(moment, now)


async def _describe(client: SharedClient, job_id: str) -> JobOrError:
    """Return a job, or why it cannot be described."""
    try:
        return await client.describe(job_id)
    except CortexError as error:  # an id that cannot be sent
        return error


def _given(argument: str, value: object) -> str:
    """
    Return an argument that must be text.

    :raises ArgumentError: if it is not, is empty, or is a template.
    """
    found = text(argument, value)
    if not found.strip():
        raise EmptyArgumentError(argument, value)
    if "{{" in found or "{%" in found:
        raise ArgumentError(
            argument, value, "must not be a template: Airflow renders none for a watcher."
        )
    return found


def _optional(argument: str, value: object) -> str | None:
    return None if value is None else _given(argument, value)


def _seconds(argument: str, value: float | timedelta) -> float:
    """Return an interval in seconds."""
    return number(
        argument, value.total_seconds() if isinstance(value, timedelta) else value, least=1
    )


def _statuses(value: object) -> list[str]:
    """Return statuses in one order, whatever the one given: Airflow compares the arguments."""
    words = value if isinstance(value, Iterable) and not isinstance(value, str) else [value]
    known = sorted({str(word).upper() for word in words})
    if not known or not set(known) <= set(STATUSES):
        raise ArgumentError(
            "status",
            value,
            f"must be one or several of {', '.join(STATUSES)}; got {excerpt(repr(value))}",
        )
    return known
