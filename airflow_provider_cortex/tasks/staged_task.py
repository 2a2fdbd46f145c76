"""A task that waits for statements without a session, each of which writes a staging table."""

from __future__ import annotations

import math
import time
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NoReturn

from airflow.providers.common.compat.sdk import AirflowTaskTimeout, conf

from airflow_provider_cortex.errors import (
    CortexError,
    QueryLostError,
    QueryTimeoutError,
    RejectedError,
    TriggerEventError,
    cancel_query_sql,
)
from airflow_provider_cortex.safe_text import for_log
from airflow_provider_cortex.tasks.deferrable import DeferrableTask
from airflow_provider_cortex.tasks.init_checks import seconds
from airflow_provider_cortex.waiting import cancelling
from airflow_provider_cortex.waiting.default_times import (
    DEFAULT_CONTACT_TIMEOUT,
    POLL_TIMEOUT_SECONDS,
)

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_cortex.hooks import CortexHook
    from airflow_provider_cortex.tasks.staged_work import StagedWork
    from airflow_provider_cortex.waiting.task_state_store import TaskStateStore

QUERY_ID = "query_id"
"""The XCom with the id of a statement that runs without a session."""

STATEMENT = "cortex_statement"
"""The key in the task state store of that statement, or of its result, for a retry."""


class StagedTask(DeferrableTask):
    """
    A task that has Snowflake work in statements without a session, and waits for each.

    A retry does not pay again for what a statement has written into its staging table, nor for a
    statement that still runs.

    :param deferrable: wait in the triggerer, without holding a worker. By default as Airflow's
        ``[operators] default_deferrable`` says.
    :param poke_interval: seconds (or a timedelta) between two polls of a statement.
    :param contact_timeout: seconds (or a timedelta) to keep retrying through transient errors.
    """

    def __init__(
        self,
        *,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        poke_interval: float | timedelta = 30.0,
        contact_timeout: float | timedelta = DEFAULT_CONTACT_TIMEOUT,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.deferrable = deferrable
        self.poke_interval = seconds("poke_interval", poke_interval)
        self.contact_timeout = seconds("contact_timeout", contact_timeout, least=0.0)
        self._running_query_id: str | None = None

    # --- What a subclass defines -----------------------------------------------------------------

    def resolve(self, hook: CortexHook, context: Context) -> None:
        """Find in Snowflake what the arguments stand for, such as the model of an alias."""

    def recall(self, context: Context) -> None:
        """Recall what :meth:`resolve` found before the task was deferred."""

    def request(self, context: Context) -> Any:
        """
        Return what to do, with the arguments checked: also before :meth:`resolve`.

        :raises ArgumentError: if one is invalid.
        """
        raise NotImplementedError

    def work(self, request: Any, hook: CortexHook) -> StagedWork:
        """Return the work that fulfils the request."""
        raise NotImplementedError

    def deliver(self, result: dict[str, Any], context: Context) -> Any:
        """Return what the task returns for the work's result."""
        raise NotImplementedError

    # --- The wait --------------------------------------------------------------------------------

    def execute(self, context: Context) -> Any:
        """Have the statements run, and return what comes of their result."""
        with self.translated_errors():
            self.request(context)  # invalid arguments are found before the login
        with self._session(context) as hook:
            hook.open()
            self.resolve(hook, context)
            work = self.work(self.request(context), hook)
            # Before the check: the destination exists once an earlier try has written it.
            if (result := self._earlier_result(work, context)) is not None:
                work.drop()
                return self.deliver(result, context)
            work.check()
            return self._run(work, hook, context)

    def execute_complete(self, context: Context, event: object = None, step: int = 0) -> Any:
        """
        Resume with the trigger's event: a statement has finished, or the wait has ended.

        :param step: the statement's position in the work.
        """
        from airflow_provider_cortex.waiting import event as events

        with self.translated_errors():
            self.recall(context)
            request = self.request(context)
        with self._session(context) as hook:
            work = self.work(request, hook)
            try:
                execution = events.read_execution(event)
            except (QueryTimeoutError, QueryLostError, RejectedError):
                work.cancel(self._pushed_query_id(context))
                raise
            execution.check()
            return self._run(work, hook, context, after=step, query_id=execution.query_id)

    def deferral_timed_out(self, context: Context) -> Any:
        """Resume after the deferral's timeout, and cancel the statement."""
        from airflow_provider_cortex.waiting import event as events

        waited = time.time() - self.started_at(context)
        error = QueryTimeoutError(self._awaited_query_id(context, "timeout"), waited)
        return self.execute_complete(context, events.stopped(error))

    def trigger_crashed(self, context: Context, reason: str) -> Any:
        """Resume after the trigger ended without an event, and wait on this worker."""
        query_id = self._awaited_query_id(context, reason)
        with self.translated_errors():
            self.recall(context)
            request = self.request(context)
        with self._session(context) as hook:
            work = self.work(request, hook)
            self._wait(work, query_id, hook, context)
            self.deferrable = False
            return self._run(work, hook, context, query_id=query_id)

    def on_kill(self) -> None:
        """Cancel the statement, over the open session if there is one, and start no other."""
        super().on_kill()
        query_id = self._running_query_id
        if query_id is not None:
            by_hand = cancel_query_sql(query_id)
            subject = f"Query {query_id}"
            self.cancel_on_worker(subject, cancelling.cancel_query, query_id, by_hand=by_hand)

    def to_airflow_exception(self, error: CortexError) -> BaseException:
        """Return what Airflow should see: as for every task, and for ``execution_timeout``."""
        if isinstance(error, QueryTimeoutError):
            return AirflowTaskTimeout(str(error))
        return super().to_airflow_exception(error)

    # --- Its steps -------------------------------------------------------------------------------

    def _run(
        self,
        work: StagedWork,
        hook: CortexHook,
        context: Context,
        *,
        after: int = -1,
        query_id: str | None = None,
    ) -> Any:
        """
        Have the statements run that come after one that has finished, and finish the work.

        :param query_id: the id of the statement that has finished.
        """
        from airflow_provider_cortex.tasks import lost_statement

        store = self._store(context)
        for step, statement in enumerate(work.statements):
            if step <= after:
                continue
            earlier = statement.own_query(store.read()) or lost_statement.find(
                statement, hook, context, self.log
            )
            # In this order: a statement that ends in between has filled the staging table.
            if earlier is None or not work.is_running(earlier):
                if work.has(statement):
                    query_id = earlier or query_id
                    continue
                self.check_not_killed()
                earlier = self._running_query_id = work.start(statement)
                store.write(statement.note(earlier))
            else:
                self.log.info(
                    "Query %s of an earlier try still runs: not starting another", for_log(earlier)
                )
            query_id = earlier
            self._watch(query_id)
            if self.is_killed:  # before it knew the query
                work.cancel(query_id)
                self.check_not_killed()
            context["ti"].xcom_push(key=QUERY_ID, value=query_id)
            # A statement that has finished already needs no trigger.
            if self.deferrable and work.is_running(query_id):
                self._defer(step, query_id, context)
            self._wait(work, query_id, hook, context)
        return self._finish(work, query_id, store, context)

    def _session(self, context: Context) -> AbstractContextManager[CortexHook]:
        # A poll that hangs has failed. The limit does not end a statement that takes long:
        # Snowflake answers within a minute that it still runs.
        return self.cortex(context, network_timeout=POLL_TIMEOUT_SECONDS)

    def _store(self, context: Context) -> TaskStateStore:
        from airflow_provider_cortex.waiting.task_state_store import TaskStateStore

        return TaskStateStore(context, STATEMENT, self.log)

    def _watch(self, query_id: str) -> None:
        """Link to a statement, and cancel it if the task is killed."""
        self.linked_query_id = self._running_query_id = query_id

    def _pushed_query_id(self, context: Context) -> str | None:
        """Return the statement that this task waited for before it was deferred."""
        query_id = self.own_xcom(QUERY_ID, context)
        return query_id if isinstance(query_id, str) else None

    def _awaited_query_id(self, context: Context, reason: str) -> str:
        query_id = self._pushed_query_id(context)
        if query_id is None:
            raise TriggerEventError(None, reason)
        return query_id

    def _earlier_result(self, work: StagedWork, context: Context) -> dict[str, Any] | None:
        """
        Return the result of an earlier try that died before Airflow stored it; Airflow 3.3.

        A task that was cleared works anew: it has more tries than its retries allow.
        """
        ti = context["ti"]
        if ti.try_number == 1 or (ti.max_tries or 0) > (self.retries or 0):
            return None
        match self._store(context).read():
            case {"result": dict(result), "staging": name} if name == work.statements[-1].name:
                self.log.info("Returning the result of an earlier try of this task")
                return result
        return None

    def _finish(
        self, work: StagedWork, query_id: str | None, store: TaskStateStore, context: Context
    ) -> Any:
        self.linked_query_id, self._running_query_id = query_id, None
        self.check_not_killed()  # the answers are there for a retry
        result = work.finish(query_id)
        # Before the tables are dropped: from here on only this note knows what was paid for.
        store.write({"result": result, "staging": work.statements[-1].name})
        work.drop()
        return self.deliver(result, context)

    def _wait(self, work: StagedWork, query_id: str, hook: CortexHook, context: Context) -> None:
        """
        Poll a statement on this worker until it has succeeded; cancel it if the wait ends before.
        """
        from airflow_provider_cortex.waiting.poll_times import PollPolicy
        from airflow_provider_cortex.waiting.poller import QueryPoller, poll_until_finished
        from airflow_provider_cortex.waiting.wait_log import FailureLog

        self._watch(query_id)
        poller = QueryPoller(
            query_id=query_id,
            started_at=self.started_at(context),
            deadline=math.inf,  # on a worker Airflow enforces execution_timeout
            policy=PollPolicy(interval=self.poke_interval, longest=self.poke_interval),
            contact_timeout=self.contact_timeout,
            report=FailureLog(log=self.log),
            clock=time.time,
        )
        try:
            execution = poll_until_finished(
                poller, lambda: hook.execution(query_id), sleep=time.sleep
            )
        except (CortexError, AirflowTaskTimeout):
            self._running_query_id = None  # Airflow calls on_kill after a timeout, too
            work.cancel(query_id)
            raise
        self._running_query_id = None
        execution.check()

    def _defer(self, step: int, query_id: str, context: Context) -> NoReturn:
        """Leave the worker: the triggerer polls on."""
        # A DAG file is parsed every 30 s, and needs no trigger.
        from airflow_provider_cortex.triggers import CortexQueryTrigger
        from airflow_provider_cortex.waiting.checkpoint import Checkpoint

        started_at = self.started_at(context)
        deadline = started_at + self.execution_limit
        self.record_wait(Checkpoint(started_at=started_at), context)
        self.defer_to(
            CortexQueryTrigger(
                query_id=query_id,
                session=self.session_settings(context).to_dict(),
                started_at=started_at,
                deadline=None if deadline == math.inf else deadline,
                poke_interval=self.poke_interval,
                contact_timeout=self.contact_timeout,
            ),
            deadline=deadline,
            kwargs={"step": step},
        )
