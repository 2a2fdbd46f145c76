"""Start a fine-tuning job, cancel it, and use the model that it made."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal, NoReturn, get_args

from airflow.providers.common.compat.sdk import AirflowTaskTimeout, conf

from airflow_provider_cortex.cortex import completion
from airflow_provider_cortex.cortex.answer_table import TableRequest
from airflow_provider_cortex.cortex.arguments import as_float, is_number, mapping
from airflow_provider_cortex.cortex.completion import (
    COMPLETION_FUNCTIONS,
    Completion,
    CompletionFunction,
    Prompt,
    Question,
)
from airflow_provider_cortex.cortex.finetune_request import COLUMNS, FineTuneRequest, check_columns
from airflow_provider_cortex.cortex.job import FineTuneJob
from airflow_provider_cortex.cortex.ownership import Owner
from airflow_provider_cortex.cortex.source_query import is_not_sql
from airflow_provider_cortex.errors import (
    CortexError,
    FineTuneExistsError,
    FineTuneFinishedError,
    QueryError,
    QueryLostError,
    QueryTimeoutError,
    RejectedError,
    TriggerEventError,
    UnreachableError,
    UnreadableAnswerError,
    cancel_query_sql,
    excerpt,
)
from airflow_provider_cortex.tasks import start_once
from airflow_provider_cortex.tasks.answer_table import (
    IF_TABLE_EXISTS,
    IfTableExists,
    TableAnswering,
)
from airflow_provider_cortex.tasks.base import (
    DEADLINE_MARGIN,
    DEFERRAL_GRACE,
    TIME_IS_UP,
    CortexTask,
    as_value_error,
    is_known,
    one_of,
    seconds,
)
from airflow_provider_cortex.tasks.links import JOB_LINKS, SnowflakeQueryLink
from airflow_provider_cortex.tasks.start_once import JobSearch
from airflow_provider_cortex.triggers import CortexQueryTrigger
from airflow_provider_cortex.waiting import cancelling
from airflow_provider_cortex.waiting import event as events
from airflow_provider_cortex.waiting.poller import DEFAULT_CONTACT_TIMEOUT, TRANSIENT_ERRORS
from airflow_provider_cortex.waiting.query_poller import QueryPoller
from airflow_provider_cortex.waiting.shared_client import NETWORK_TIMEOUT
from airflow_provider_cortex.waiting.store import Store
from airflow_provider_cortex.waiting.wait import Wait

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context, XComArg

    from airflow_provider_cortex.hooks import CortexHook

IfExists = Literal["adopt", "create", "fail"]
IF_EXISTS: tuple[str, ...] = get_args(IfExists)

QUERY = "query_id"
"""The XCom, and the same in the task state store, that has a statement which runs by itself."""

LOOKS = 5
"""How many times to look at the most, until a cancel has taken effect."""


class CortexFineTuneOperator(CortexTask):
    """
    Start a Snowflake Cortex fine-tuning job, and return its id.

    The task ends as soon as Cortex has accepted the job: wait for it with
    :class:`~airflow_provider_cortex.sensors.CortexFineTuneSensor`. XComs: ``return_value`` and ``finetune_job_id``.

    It starts a job once. Cortex would start, and bill, another one at every call. So a retry, a cleared task and
    the successor of a worker that died first look for the job that an earlier try has started, and return its id,
    unless that job failed, was cancelled, or its model has been dropped. Only a job that is *proved* to be this
    task's is reused: the task appends a comment with a hash of DAG, run, task, map index and model name to the training
    query, and looks for it in the jobs that Cortex describes; on Airflow 3.3 it also keeps the job's id in the
    task state store. Data that is no query (``snow://…``) cannot carry a comment: there the store is the only
    proof, and before Airflow 3.3 a retry starts another job.

    :param model: the name for the tuned model: an identifier or a qualified one, quoted or not. Cortex appends a
        suffix to a name that is taken. (templated)
    :param base_model: the model to tune, such as ``llama3.1-8b``. (templated)
    :param training_data: a query with the columns PROMPT and COMPLETION, the path of a ``.sql`` file
        with one, or a table's name. (templated)
    :param validation_data: the same for validation; without it Cortex splits the training data.
        (templated)
    :param options: Cortex's own, such as ``{"max_epochs": 3}``, or the same as JSON text. (templated)
    :param validate: have Snowflake compile both queries first, which reports at once what Cortex would only report
        when the job has failed.
    :param if_exists: what to do if an earlier try of this task has started a job: ``adopt`` it, that is, return
        its id; ``fail``; or ``create`` another one without looking, at every try. (templated)
    :param kwargs: as of :class:`~airflow_provider_cortex.tasks.base.CortexTask` and ``BaseOperator``.
    :raises ValueError: if *if_exists* is none of these.
    """

    template_fields: Sequence[str] = (
        "model",
        "base_model",
        "training_data",
        "validation_data",
        "options",
        "if_exists",
        *CortexTask.template_fields,
    )
    sql_fields = ("training_data", "validation_data")
    template_ext: Sequence[str] = (".sql",)
    template_fields_renderers = {
        "training_data": "sql",
        "validation_data": "sql",
        "options": "json",
    }
    operator_extra_links = (SnowflakeQueryLink(), *JOB_LINKS)
    ui_color = "#d6f0fa"

    def __init__(
        self,
        *,
        model: str,
        base_model: str,
        training_data: str,
        validation_data: str | None = None,
        options: Mapping[str, Any] | str | None = None,
        validate: bool = True,
        if_exists: IfExists | str = "adopt",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if is_known(if_exists):
            with as_value_error():
                one_of("if_exists", if_exists, IF_EXISTS)
        self.model = model
        self.base_model = base_model
        self.training_data = training_data
        self.validation_data = validation_data
        self.options = options
        self.validate = validate
        self.if_exists = if_exists

    def execute(self, context: Context) -> str:
        """Start the job, unless an earlier try has, and return its id."""
        with self.translated_errors():
            if_exists = self._if_exists()
            request = self._request()
            owner = start_once.owner_of(context, task_id=self.task_id, model=request.model)
            request = replace(request, training_data=owner.mark(request.training_data))
        with self.cortex(context) as hook:
            hook.open()
            jobs = JobSearch(owner, hook, context, self.log)
            job = None if if_exists == "create" else jobs.find()
            if job is not None:
                job_id = self._adopt(job, request, if_exists)
            else:
                if self.validate:
                    self._validate(request, hook)
                job_id = self._create(request, hook, if_exists)
                jobs.note(job_id)
            self.link_job(job_id)
            self.push_job_id(job_id, context)
            if job is None and owner.comment in request.training_data:
                self._check_proof(job_id, owner, hook)
            return job_id

    def _if_exists(self) -> str:
        """Return what to do with a job that is there, once it is rendered."""
        return one_of("if_exists", self.required("if_exists").strip(), IF_EXISTS)

    def _request(self) -> FineTuneRequest:
        """Return what to ask of Cortex, checked."""
        request = FineTuneRequest(
            model=self.required("model"),
            base_model=self.required("base_model"),
            training_data=self.required("training_data"),
            validation_data=None
            if self.validation_data is None
            else self.required("validation_data"),
            options=mapping("options", self.options) or {},
        )
        if request.unknown_options:
            self.log.warning(
                "Options that this package does not know go to Cortex as they are: %s",
                excerpt(", ".join(request.unknown_options)),
            )
        return request

    def _adopt(self, job: FineTuneJob, request: FineTuneRequest, if_exists: str) -> str:
        if if_exists == "fail":
            raise FineTuneExistsError(job.id, job.state)
        self.log.info(
            "Adopted fine-tuning job %s (%s), which an earlier try of this task started; not starting another",
            job.id,
            job.state,
        )
        if changed := request.differences(job):
            self.log.warning(
                "Fine-tuning job %s was started with another %s than this task has now. To train again, run this"
                ' task with if_exists="create".',
                job.id,
                " and ".join(changed),
            )
        return job.id

    def _validate(self, request: FineTuneRequest, hook: CortexHook) -> None:
        """
        Have Snowflake compile the queries as Cortex will run them.

        :raises QueryError: if one of them would fail the job.
        """
        for argument, query in request.queries.items():
            try:
                hook.columns(argument, query, *COLUMNS)
            except RejectedError as refusal:
                self._explain(argument, query, hook)
                raise QueryError(argument, f"cannot be read: {refusal.said}") from refusal

    def _explain(self, argument: str, query: str, hook: CortexHook) -> None:
        """Raise why PROMPT and COMPLETION cannot be read from a query, if that can be found out."""
        try:
            columns = hook.columns(argument, query)
        except RejectedError as refusal:
            raise QueryError(
                argument, f"is no query that Snowflake can run here: {refusal.said}"
            ) from refusal
        check_columns(argument, columns)

    def _create(self, request: FineTuneRequest, hook: CortexHook, if_exists: str) -> str:
        try:
            job_id = hook.create(
                request.model,
                request.base_model,
                request.training_data,
                validation_data=request.validation_data,
                options=request.options,
            )
        except (UnreachableError, UnreadableAnswerError):
            is_blind = if_exists == "create" or is_not_sql(request.training_data)
            then = "starts another one" if is_blind else "looks for it first"
            self.log.warning("Cortex may have started the job all the same: a retry %s", then)
            raise
        self._query_id = hook.last_query_id
        self.log.info("Cortex accepted fine-tuning job %s for model %s", job_id, request.model)
        return job_id

    def _check_proof(self, job_id: str, owner: Owner, hook: CortexHook) -> None:
        """Warn if Cortex does not return the comment by which a retry would know the job. Nothing is raised."""
        try:
            is_proved = owner.owns(hook.describe(job_id))
        except CortexError as error:
            self.log.info(
                "Fine-tuning job %s was started, and cannot be described yet: %s", job_id, error
            )
            return
        if not is_proved:
            self.log.warning(
                "Cortex did not return the comment %s of fine-tuning job %s: without Airflow 3.3's task state"
                " store, a retry of this task would not know the job again, and start another one",
                owner.comment,
                job_id,
            )


class CortexCancelFineTuneOperator(CortexTask):
    """
    Cancel a fine-tuning job, look whether that took effect, and return the status that was found.

    A job that is over is left as it is.

    :param finetune_job_id: the id that CREATE returned. (templated)
    :param fail_if_over: fail, rather than succeed, if the job is over already.
    :param kwargs: as of :class:`~airflow_provider_cortex.tasks.base.CortexTask` and ``BaseOperator``.
    """

    template_fields: Sequence[str] = ("finetune_job_id", *CortexTask.template_fields)
    ui_color = "#d6f0fa"

    def __init__(
        self, *, finetune_job_id: str | XComArg, fail_if_over: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.finetune_job_id = finetune_job_id
        self.fail_if_over = fail_if_over
        self.remember_template("finetune_job_id")

    def execute(self, context: Context) -> str:
        """Cancel the job, and return its status: CANCELLED, unless it was faster."""
        with self.cortex(context) as hook:
            job_id = self.required_cell("finetune_job_id").strip()
            job = hook.describe(job_id)
            if not job.is_finished:
                self.log.info("Cancelling fine-tuning job %s", cancelling.named(job))
                job = cancelling.cancel_job(job_id, hook, looks=LOOKS, log=self.log)
            elif self.fail_if_over:
                raise FineTuneFinishedError(job_id, job.state)
            else:
                self.log.info(
                    "Fine-tuning job %s is over already: %s", cancelling.named(job), job.state
                )
            return job.status.value


class CortexCompleteOperator(CortexTask):
    """
    Have a model answer inside Snowflake, and return what it answers.

    XComs: ``return_value`` is the answer, or for a list of prompts the list of answers, in their order;
    ``usage`` the tokens that all of it took (``prompt_tokens``, ``completion_tokens``, ``total_tokens``), if Cortex
    tells them.

    :param model: a tuned model by the name that the sensor returned, or a base model. (templated)
    :param prompt: a text; a list of texts, all asked in one statement; or a conversation: a list of
        messages, each with a ``role`` and a ``content``. That AI_COMPLETE takes a conversation is a guess: only
        COMPLETE's page has it. (templated)
    :param model_parameters: such as ``{"temperature": 0, "max_tokens": 100}``. (templated)
    :param response_format: ``{"type": "json", "schema": {…}}`` for an answer that is an object by this
        JSON schema. (templated)
    :param function: ``AI_COMPLETE``, or ``COMPLETE`` where an account has no other yet: Snowflake is
        retiring it. It tells the tokens only with one of the two arguments before, or in a conversation.
    :param log_answers: log prompts and answers; neither is, otherwise.
    :param kwargs: as of :class:`~airflow_provider_cortex.tasks.base.CortexTask` and ``BaseOperator``.
    :raises ValueError: if *function* is none of these.
    """

    template_fields: Sequence[str] = (
        "model",
        "prompt",
        "model_parameters",
        "response_format",
        *CortexTask.template_fields,
    )
    template_fields_renderers = {"model_parameters": "json", "response_format": "json"}
    operator_extra_links = (SnowflakeQueryLink(),)
    ui_color = "#d6f0fa"

    def __init__(
        self,
        *,
        model: str | XComArg,
        prompt: Prompt | XComArg,
        model_parameters: Mapping[str, Any] | str | None = None,
        response_format: Mapping[str, Any] | str | None = None,
        function: CompletionFunction = "AI_COMPLETE",
        log_answers: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        with as_value_error():
            one_of("function", function, COMPLETION_FUNCTIONS)
        self.model = model
        self.prompt = prompt
        self.model_parameters = model_parameters
        self.response_format = response_format
        self.function = function
        self.log_answers = log_answers
        self.remember_template("model")

    def execute(self, context: Context) -> Any:
        """Return the model's answer, or answers: text, or objects by the response format."""
        with self.translated_errors():
            question = Question(
                model=self.required_cell("model"),
                prompt=completion.prompt("prompt", self.prompt),
                model_parameters=mapping("model_parameters", self.model_parameters),
                response_format=mapping("response_format", self.response_format),
                function=self.function,
                with_usage=True,
            )
        with self.cortex(context) as hook:
            completions = hook.completions(question)
            answers = [completion.answer for completion in completions]
            if self.log_answers:
                self.log.info("Asked: %s", question.prompt)
                self.log.info("Answered: %s", answers)
            answer = answers if question.is_list else answers[0]
            self._tell_usage(completions, context)
            if self.do_xcom_push:
                completion.check_size(answer)
        return answer

    def _tell_usage(self, completions: Sequence[Completion], context: Context) -> None:
        usage = completion.usage(completions)
        if usage is None:
            return
        self.log.info("It took %s tokens", usage.get("total_tokens", "an unknown number of"))
        if self.do_xcom_push:
            context["ti"].xcom_push(key="usage", value=usage)


class CortexCompleteTableOperator(CortexTask):
    """
    Have a model answer every row of a table or query inside Snowflake, and put the answers into a table.

    Snowflake's engine does the distributing: it is one statement, which runs by itself, into a table in between. Only
    when it is good is the destination made or added to, by one statement, too; so it is as it was if this task
    fails. What was paid for is not paid for again: a retry after trouble goes on from the table in between, and on
    Airflow 3.3 from the statement that still runs. (Only a worker that dies in the moment after the last
    statement, or an answer to it that is lost, leaves a retry that appends the same rows again, or finds
    the destination there.) The role must be allowed to create tables in the destination's schema, and the account must not cancel statements whose session is gone (``ABORT_DETACHED_QUERY``, off by default).

    Returns ``{"rows": …, "errors": …, "query_id": …}``. The XCom ``query_id`` is there as soon as the statement runs.

    :param model: a tuned model by the name that the sensor returned, or a base model. (templated)
    :param source: a table's name, a query, or the path of a ``.sql`` file with one. Its columns go to *destination*,
        too. (templated)
    :param destination: the table for the answers. (templated)
    :param prompt_column: the column of *source* that holds the prompts. (templated)
    :param prompt_expression: instead, an SQL expression over its columns. (templated)
    :param answer_column: the name of the column for the answers: text, or VARIANT with a *response_format*.
    :param error_column: the name of the column for what went wrong with a row; NULL, if nothing did. A prompt
        that is NULL has no answer, and counts as an error.
    :param if_exists: what to do if *destination* is there: ``fail``, ``replace`` it, its grants kept, or ``append`` to it.
    :param max_error_rate: the share of rows, from 0 to 1, that may have no answer.
    :param deferrable: wait in the triggerer, without holding a worker. By default what Airflow's
        ``[operators] default_deferrable`` says.
    :param poke_interval: seconds (or a timedelta) between two looks at the statement.
    :param contact_timeout: for how many seconds on end (or a timedelta) to bear trouble that may pass.
    :param model_parameters: such as ``{"temperature": 0}``. (templated)
    :param response_format: ``{"type": "json", "schema": {…}}``. (templated)
    :param kwargs: as of :class:`~airflow_provider_cortex.tasks.base.CortexTask` and ``BaseOperator``.
    :raises ValueError: if an argument is of no use.
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
    operator_extra_links = (SnowflakeQueryLink(),)
    ui_color = "#d6f0fa"

    def __init__(
        self,
        *,
        model: str | XComArg,
        source: str,
        destination: str,
        prompt_column: str | None = None,
        prompt_expression: str | None = None,
        answer_column: str = "answer",
        error_column: str = "error",
        if_exists: IfTableExists = "fail",
        max_error_rate: float = 0.0,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        poke_interval: float | timedelta = 30.0,
        contact_timeout: float | timedelta = DEFAULT_CONTACT_TIMEOUT,
        model_parameters: Mapping[str, Any] | str | None = None,
        response_format: Mapping[str, Any] | str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if (prompt_column is None) == (prompt_expression is None):
            raise ValueError("give either prompt_column or prompt_expression")
        with as_value_error():
            one_of("if_exists", if_exists, IF_TABLE_EXISTS)
        rate = as_float(max_error_rate) if is_number(max_error_rate) else math.nan
        if not 0 <= rate <= 1:
            raise ValueError(f"max_error_rate must be from 0 to 1, not {max_error_rate!r}")
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
        # Rendered, either may be None.
        self._has_column = prompt_column is not None
        self._asking: str | None = None

    def execute(self, context: Context) -> dict[str, Any]:
        """Have every row answered, and return the counts."""
        with self.translated_errors():
            request = self._request(context)
        with self._session(context) as hook:
            hook.open()
            answers = TableAnswering(request, hook, self.log)
            answers.check(self.if_exists)
            store = Store(context, QUERY, self.log)
            query_id = request.own_query(store.read())
            # In this order: a statement that ends in between is in the table, and is not asked again.
            if query_id is None or not answers.are_coming(query_id):
                if answers.are_there():
                    return self._finish(answers, query_id)
                query_id = self._asking = answers.start()
                store.write(request.note(query_id))
            self._query_id = self._asking = query_id
            context["ti"].xcom_push(key=QUERY, value=query_id)
            # As for a job: what is over at once never defers.
            if not self.deferrable or not answers.are_coming(query_id):
                return self._wait(answers, query_id, hook, context)
        self._hand_over(query_id, context)

    def execute_complete(self, context: Context, event: object = None) -> dict[str, Any]:
        """Resume with the trigger's event: the statement is over, or nobody waits for it any more."""
        with self.translated_errors():
            request = self._request(context)
        with self._session(context) as hook:
            answers = TableAnswering(request, hook, self.log)
            try:
                execution = events.read_execution(event)
            except (QueryTimeoutError, QueryLostError, RejectedError):
                answers.give_up(self._noted(context))
                raise
            execution.check()
            return self._finish(answers, execution.query_id)

    def resume_execution(
        self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context
    ) -> Any:
        """
        Resume, also when Airflow gave the deferral up: the time is up, or the trigger crashed.

        The statement runs on in both cases. It is cancelled in the first; in the second this worker waits on.
        """
        kwargs = next_kwargs or {}
        if next_method == self.execute_complete.__name__:
            return self.execute_complete(context, **kwargs)
        query_id, reason = self._noted(context), kwargs.get("error")
        if query_id is None:
            raise TriggerEventError(None, reason)
        if reason in TIME_IS_UP:
            waited = time.time() - self._started_at(context).timestamp()
            return self.execute_complete(
                context, events.stopped(QueryTimeoutError(query_id, waited))
            )
        self.log.error("The trigger crashed:\n%s", "".join(kwargs.get("traceback") or ()))
        with self.translated_errors():
            request = self._request(context)
        with self._session(context) as hook:
            return self._wait(TableAnswering(request, hook, self.log), query_id, hook, context)

    def on_kill(self) -> None:
        """Cancel the statement, over the session that is open if one is."""
        query_id = self._asking
        if query_id is not None:
            sql = cancel_query_sql(query_id)
            self.cancel_on_worker(f"Query {query_id}", cancelling.cancel_query, query_id, sql=sql)

    def verdict(self, error: CortexError) -> BaseException:
        """Return what *error* means to Airflow: as for every task, and for the end of the time."""
        if isinstance(error, QueryTimeoutError):
            return AirflowTaskTimeout(str(error))
        return super().verdict(error)

    def _request(self, context: Context) -> TableRequest:
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

    def _session(self, context: Context) -> AbstractContextManager[CortexHook]:
        # A look at a statement that hangs is a look that failed. It does not limit a statement that takes long:
        # Snowflake answers within a minute that it is not done.
        return self.cortex(context, network_timeout=NETWORK_TIMEOUT)

    def _noted(self, context: Context) -> str | None:
        """Return the statement that this task waited for before it was deferred."""
        ti = context["ti"]
        query_id = ti.xcom_pull(task_ids=self.task_id, key=QUERY, map_indexes=ti.map_index)
        return query_id if isinstance(query_id, str) else None

    def _finish(self, answers: TableAnswering, query_id: str | None) -> dict[str, Any]:
        self._query_id, self._asking = query_id, None
        return answers.finish(
            query_id, if_exists=self.if_exists, max_error_rate=self.max_error_rate
        )

    def _wait(
        self, answers: TableAnswering, query_id: str, hook: CortexHook, context: Context
    ) -> dict[str, Any]:
        """Look at the statement until it is over, and finish; it is cancelled if nobody waits any more."""
        # On a worker it is Airflow that sees to execution_timeout.
        poller = self._poller(query_id, context, limit=None)
        self._query_id = self._asking = query_id
        try:
            delay: float | None = 0.0
            while delay is not None:
                time.sleep(delay)
                try:
                    execution = hook.execution(query_id)
                    delay = poller.observe(execution)
                except TRANSIENT_ERRORS as error:
                    delay = poller.miss(error)
                    self.log.warning("%s; next look in %.0f s", error, delay)
        except (CortexError, AirflowTaskTimeout):
            self._asking = None  # Airflow calls on_kill after a timeout, too
            answers.give_up(query_id)
            raise
        execution.check()
        return self._finish(answers, query_id)

    def _poller(self, query_id: str, context: Context, *, limit: timedelta | None) -> QueryPoller:
        started_at = self._started_at(context).timestamp()
        seconds = limit.total_seconds() if limit else 0.0
        return QueryPoller(
            query_id=query_id,
            started_at=started_at,
            deadline=started_at + seconds - min(DEADLINE_MARGIN, seconds / 10) if limit else None,
            interval=self.poke_interval,
            contact_timeout=self.contact_timeout,
            clock=time.time,
        )

    @staticmethod
    def _started_at(context: Context) -> datetime:
        # Airflow 2's dag.test() runs tasks without a start date.
        start_date: datetime | None = context["ti"].start_date
        return start_date or datetime.now(tz=UTC)

    def _hand_over(self, query_id: str, context: Context) -> NoReturn:
        """Leave the worker: the triggerer waits on."""
        poller = self._poller(query_id, context, limit=self.execution_timeout)
        left = timedelta(seconds=max(0.0, (poller.deadline or 0.0) - time.time()))
        Wait(context["ti"], poller.started_at).begin()
        self.defer(
            trigger=CortexQueryTrigger(
                query_id=query_id,
                session=self.cortex_session(context).to_dict(),
                started_at=poller.started_at,
                deadline=poller.deadline,
                poke_interval=self.poke_interval,
                contact_timeout=self.contact_timeout,
            ),
            method_name=self.execute_complete.__name__,
            timeout=None if poller.deadline is None else left + DEFERRAL_GRACE,
        )
