"""The task that has a model answer all rows of a table, and waits for that."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NoReturn

from airflow.providers.common.compat.sdk import AirflowTaskTimeout, conf

from airflow_provider_cortex.cortex.rendered_values import as_float, is_number, mapping
from airflow_provider_cortex.errors import (
    CortexError,
    QueryLostError,
    QueryTimeoutError,
    RejectedError,
    TriggerEventError,
    cancel_query_sql,
)
from airflow_provider_cortex.tasks.base import CortexTask
from airflow_provider_cortex.tasks.deferrable import DeferrableTask
from airflow_provider_cortex.tasks.init_checks import (
    IF_TABLE_EXISTS,
    IfTableExists,
    as_value_error,
    one_of,
    seconds,
)
from airflow_provider_cortex.waiting import cancelling
from airflow_provider_cortex.waiting.default_times import (
    DEFAULT_CONTACT_TIMEOUT,
    POLL_TIMEOUT_SECONDS,
)

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context, XComArg

    from airflow_provider_cortex.cortex.answer_table_sql import TableRequest
    from airflow_provider_cortex.hooks import CortexHook
    from airflow_provider_cortex.tasks.answer_table_steps import TableAnswering

QUERY_ID = "query_id"
"""The XCom with the id of a statement that runs without a session."""

STATEMENT = "cortex_statement"
"""The key in the task state store of that statement and its request, for a retry."""


class AnswerTableTask(DeferrableTask):
    """
    Have a model answer every row of a table or query.

    For the arguments see :class:`~airflow_provider_cortex.operators.CortexCompleteTableOperator`.
    """

    template_fields: Sequence[str] = (
        "model",
        "source",
        "destination",
        "prompt_column",
        "prompt_expression",
        "model_parameters",
        "response_format",
        *CortexTask.template_fields,
    )
    sql_fields = ("source",)
    template_ext: Sequence[str] = (".sql",)
    template_fields_renderers = {
        "source": "sql",
        "prompt_expression": "sql",
        "model_parameters": "json",
        "response_format": "json",
    }

    def __init__(
        self,
        *,
        model: str | XComArg,
        source: str | XComArg,
        destination: str | XComArg,
        prompt_column: str | XComArg | None = None,
        prompt_expression: str | XComArg | None = None,
        answer_column: str = "answer",
        error_column: str = "error",
        if_exists: IfTableExists = "fail",
        max_error_rate: float = 0.0,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        poke_interval: float | timedelta = 30.0,
        contact_timeout: float | timedelta = DEFAULT_CONTACT_TIMEOUT,
        model_parameters: Mapping[str, Any] | str | XComArg | None = None,
        response_format: Mapping[str, Any] | str | XComArg | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if (prompt_column is None) == (prompt_expression is None):
            raise ValueError("give either prompt_column or prompt_expression, and not both")
        with as_value_error():
            one_of("if_exists", if_exists, IF_TABLE_EXISTS)
        rate = as_float(max_error_rate) if is_number(max_error_rate) else math.nan
        if not 0 <= rate <= 1:
            raise ValueError(f"max_error_rate must be from 0 to 1; got {max_error_rate!r}")
        self.model = model
        self.source = source
        self.destination = destination
        self.prompt_column = prompt_column
        self.prompt_expression = prompt_expression
        self.answer_column = answer_column
        self.error_column = error_column
        self.if_exists = if_exists
        self.max_error_rate = rate
        self.deferrable = deferrable
        self.poke_interval = seconds("poke_interval", poke_interval)
        self.contact_timeout = seconds("contact_timeout", contact_timeout, least=0.0)
        self.model_parameters = model_parameters
        self.response_format = response_format
        self.remember_template("model")
        # Once rendered, either may be None.
        self._has_column = prompt_column is not None
        self._running_query_id: str | None = None

    def execute(self, context: Context) -> dict[str, Any]:
        """Have every row answered, and return the counts."""
        from airflow_provider_cortex.waiting.task_state_store import TaskStateStore

        with self.translated_errors():
            request = self._request(context)
        with self._session(context) as hook:
            hook.open()
            answering = self._answering(request, hook)
            answering.check(self.if_exists)
            store = TaskStateStore(context, STATEMENT, self.log)
            query_id = request.own_query(store.read())
            # In this order: a statement that ends in between has filled the staging table.
            if query_id is None or not answering.is_running(query_id):
                if answering.has_answers():
                    return self._finish(answering, query_id)
                self.check_not_killed()
                query_id = self._running_query_id = answering.start()
                store.write(request.note(query_id))
            self._watch(query_id)
            if self.is_killed:  # before it knew the query
                answering.cancel(query_id)
                self.check_not_killed()
            context["ti"].xcom_push(key=QUERY_ID, value=query_id)
            # A statement that has finished already needs no trigger.
            if not self.deferrable or not answering.is_running(query_id):
                return self._wait(answering, query_id, hook, context)
        return self._defer(query_id, context)

    def execute_complete(self, context: Context, event: object = None) -> dict[str, Any]:
        """Resume with the trigger's event: the statement has finished, or the wait has ended."""
        from airflow_provider_cortex.waiting import event as events

        with self.translated_errors():
            request = self._request(context)
        with self._session(context) as hook:
            answering = self._answering(request, hook)
            try:
                execution = events.read_execution(event)
            except (QueryTimeoutError, QueryLostError, RejectedError):
                answering.cancel(self._pushed_query_id(context))
                raise
            execution.check()
            return self._finish(answering, execution.query_id)

    def deferral_timed_out(self, context: Context) -> Any:
        """Resume after the deferral's timeout, and cancel the statement."""
        from airflow_provider_cortex.waiting import event as events

        waited = time.time() - self.started_at(context)
        error = QueryTimeoutError(self._awaited_query_id(context, "timeout"), waited)
        return self.execute_complete(context, events.stopped(error))

    def trigger_crashed(self, context: Context, reason: str) -> dict[str, Any]:
        """Resume after the trigger ended without an event, and wait on this worker."""
        query_id = self._awaited_query_id(context, reason)
        with self.translated_errors():
            request = self._request(context)
        with self._session(context) as hook:
            return self._wait(self._answering(request, hook), query_id, hook, context)

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

    def _request(self, context: Context) -> TableRequest:
        from airflow_provider_cortex.cortex.answer_table_sql import TableRequest

        ti = context["ti"]
        request = TableRequest(
            model=self.required_cell("model"),
            source=self.required("source"),
            destination=self.required("destination"),
            prompt_column=self.required("prompt_column") if self._has_column else None,
            prompt_expression=None if self._has_column else self.required("prompt_expression"),
            answer_column=self.answer_column,
            error_column=self.error_column,
            model_parameters=mapping("model_parameters", self.model_parameters),
            response_format=mapping("response_format", self.response_format),
        )
        return request.of_task(ti.dag_id, ti.task_id, ti.run_id, ti.map_index)

    def _answering(self, request: TableRequest, hook: CortexHook) -> TableAnswering:
        from airflow_provider_cortex.tasks.answer_table_steps import TableAnswering

        return TableAnswering(request, hook, self.log)

    def _session(self, context: Context) -> AbstractContextManager[CortexHook]:
        # A poll that hangs has failed. The limit does not end a statement that takes long:
        # Snowflake answers within a minute that it still runs.
        return self.cortex(context, network_timeout=POLL_TIMEOUT_SECONDS)

    def _watch(self, query_id: str) -> None:
        """Link to a statement, and cancel it if the task is killed."""
        self.linked_query_id = self._running_query_id = query_id

    def _pushed_query_id(self, context: Context) -> str | None:
        """Return the statement that this task waited for before it was deferred."""
        ti = context["ti"]
        query_id = ti.xcom_pull(task_ids=self.task_id, key=QUERY_ID, map_indexes=ti.map_index)
        return query_id if isinstance(query_id, str) else None

    def _awaited_query_id(self, context: Context, reason: str) -> str:
        query_id = self._pushed_query_id(context)
        if query_id is None:
            raise TriggerEventError(None, reason)
        return query_id

    def _finish(self, answering: TableAnswering, query_id: str | None) -> dict[str, Any]:
        self.linked_query_id, self._running_query_id = query_id, None
        self.check_not_killed()  # the answers are there for a retry
        return answering.finish(
            query_id, if_exists=self.if_exists, max_error_rate=self.max_error_rate
        )

    def _wait(
        self, answering: TableAnswering, query_id: str, hook: CortexHook, context: Context
    ) -> dict[str, Any]:
        """
        Poll the statement on this worker until it has finished; cancel it if the wait ends
        before.
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
            answering.cancel(query_id)
            raise
        execution.check()
        return self._finish(answering, query_id)

    def _defer(self, query_id: str, context: Context) -> NoReturn:
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
        )
