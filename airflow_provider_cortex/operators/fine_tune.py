"""Start a fine-tuning job, and cancel it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, get_args

from airflow_provider_cortex.cortex.rendered_values import mapping, number
from airflow_provider_cortex.errors import ArgumentError, FineTuneFinishedError
from airflow_provider_cortex.safe_text import excerpt
from airflow_provider_cortex.tasks.base import CortexTask
from airflow_provider_cortex.tasks.init_checks import as_value_error, is_literal, one_of
from airflow_provider_cortex.tasks.links import JOB_LINKS, SnowflakeQueryLink

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context, XComArg

    from airflow_provider_cortex.cortex.finetune_request import FineTuneRequest
    from airflow_provider_cortex.tasks.base import Number

IfExists = Literal["adopt", "create", "fail"]
IF_EXISTS: tuple[str, ...] = get_args(IfExists)

CANCEL_CHECKS = 5
"""At most so many checks whether a cancel has taken effect."""


class CortexFineTuneOperator(CortexTask):
    """
    Start a Snowflake Cortex fine-tuning job, and return its id.

    The task ends as soon as Cortex has accepted the job: wait for it with
    :class:`~airflow_provider_cortex.sensors.CortexFineTuneSensor`. XComs: ``return_value`` and
    ``finetune_job_id``.

    It starts a job once. Cortex would start, and bill, another one at every call. So a retry, a
    cleared task and the successor of a worker that died first look for the job of an earlier try,
    and return its id, unless that job failed, was cancelled, or its model has been dropped. Only
    a job that is *proved* to be this task's is reused: the task appends a comment with a hash of
    DAG, run, task, map index, model name and Airflow's ``base_url`` to the training query, and
    searches for it in the jobs that Cortex describes. On Airflow 3.3 it also keeps the job's id in
    the task state store. A dataset (``snow://…``) cannot carry a comment: there the store is the
    only proof, and before Airflow 3.3 a retry starts another job.

    :param model: the name for the tuned model: an identifier or a qualified one. A part needs double
        quotes if it has anything but letters, digits, ``_`` and ``$``, or begins with a digit. An
        ``@`` may stand before it, as on Snowflake's page on arctic-extract (guess at-name). Cortex
        appends a suffix to a name that is taken. (templated)
    :param base_model: the model to tune, such as ``llama3.1-8b``, or ``arctic-extract`` for
        documents. Any name is sent to Cortex: a list in this package would soon be out of date.
        (templated)
    :param training_data: a query with the columns PROMPT and COMPLETION, the path of a ``.sql``
        file with one (from the DAG file's folder, or the DAG's ``template_searchpath``), or a
        table's name. The query may end with semicolons and with comments (``--``
        or ``//``). For ``arctic-extract`` it is the address of a dataset's version, as
        :class:`~airflow_provider_cortex.operators.CortexCreateDatasetOperator` returns it.
        (templated)
    :param validation_data: the same for validation; without it Cortex splits the training data.
        (templated)
    :param options: Cortex's own, such as ``{"max_epochs": 3}``, or the same as JSON text.
        ``max_epochs`` is a whole number from 1 to 10, for ``arctic-extract`` from 2 on. (templated)
    :param validate: first have Snowflake compile ``SELECT "PROMPT", "COMPLETION" FROM (…) LIMIT 0``
        for both queries, without running it, or list the datasets' versions: this reports at once
        what Cortex would report only when the job has failed.
    :param if_exists: what to do if an earlier try of this task has started a job: ``adopt`` it,
        that is, return its id; ``fail``; or ``create`` another one at every try, without a
        search. (templated)
    :param max_trained_tokens: start no job that would train more tokens, by the estimate of
        :class:`~airflow_provider_cortex.operators.CortexCheckTrainingDataOperator`, which takes a
        statement: then the task fails without a retry. A job of an earlier try is returned
        without a check. A dataset's tokens cannot be counted. (templated)
    :param kwargs: as of :class:`~airflow_provider_cortex.tasks.base.CortexTask` and
        ``BaseOperator``.
    :raises ValueError: if *if_exists* or *max_trained_tokens* is invalid.
    """

    template_fields: Sequence[str] = (
        "model",
        "base_model",
        "training_data",
        "validation_data",
        "options",
        "if_exists",
        "max_trained_tokens",
        *CortexTask.template_fields,
    )
    numbers = {"max_trained_tokens": number}
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
        model: str | XComArg,
        base_model: str | XComArg,
        training_data: str | XComArg,
        validation_data: str | XComArg | None = None,
        options: Mapping[str, Any] | str | XComArg | None = None,
        validate: bool = True,
        if_exists: IfExists | str | XComArg = "adopt",
        max_trained_tokens: Number = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if is_literal(if_exists):
            with as_value_error():
                one_of("if_exists", if_exists, IF_EXISTS)
        self.model = model
        self.base_model = base_model
        self.training_data = training_data
        self.validation_data = validation_data
        self.options = options
        self.validate = validate
        self.if_exists = if_exists
        self.set_numbers(max_trained_tokens=max_trained_tokens)

    def execute(self, context: Context) -> str:
        """Start the job, unless an earlier try has, and return its id."""
        from airflow_provider_cortex.tasks.earlier_job import JobSearch, owner_of
        from airflow_provider_cortex.tasks.start_once import StartOnce

        with self.translated_errors():
            if_exists = one_of("if_exists", self.required("if_exists").strip(), IF_EXISTS)
            request = self._request()
            most = self._most_tokens(request)
            owner = owner_of(context, task_id=self.task_id, model=request.model)
            request = replace(request, training_data=owner.mark(request.training_data))
        with self.cortex(context) as hook:
            hook.open()
            search = JobSearch(owner, hook, context, self.log)
            start = StartOnce(
                request=request,
                owner=owner,
                search=search,
                hook=hook,
                check_not_killed=self.check_not_killed,
                log=self.log,
            )
            job_id, is_new = start.job_id(
                if_exists=if_exists, validate=self.validate, max_trained_tokens=most
            )
            if is_new:
                self.linked_query_id = hook.last_query_id
            self.link_job(job_id)
            self.push_job_id(job_id, context)
            if is_new:
                start.check_proof(job_id)
            return job_id

    def _request(self) -> FineTuneRequest:
        """Return the job to start, with its arguments checked."""
        from airflow_provider_cortex.cortex.finetune_request import FineTuneRequest

        validation_data = None if self.validation_data is None else self.required("validation_data")
        request = FineTuneRequest(
            model=self.required("model"),
            base_model=self.required("base_model"),
            training_data=self.required("training_data"),
            validation_data=validation_data,
            options=mapping("options", self.options) or {},
        )
        if request.unknown_options:
            self.log.warning(
                "Passing options to Cortex that this package does not know: %s",
                excerpt(", ".join(request.unknown_options)),
            )
        return request

    def _most_tokens(self, request: FineTuneRequest) -> float | None:
        """Return *max_trained_tokens* once it is rendered: None if it is not set."""
        from airflow_provider_cortex.cortex.source_query import is_not_sql

        most: float | None = self.read_numbers()["max_trained_tokens"]
        if most is not None and is_not_sql(request.training_data):
            raise ArgumentError(
                "max_trained_tokens",
                most,
                "needs training_data that is a query or a table: other data cannot be counted.",
            )
        return most


class CortexCancelFineTuneOperator(CortexTask):
    """
    Cancel a fine-tuning job, check whether that took effect, and return the job's status.

    A job that has already finished is left as it is.

    :param finetune_job_id: the id that CREATE returned. (templated)
    :param fail_if_over: fail, instead of succeeding, if the job has already finished.
    :param kwargs: as of :class:`~airflow_provider_cortex.tasks.base.CortexTask` and
        ``BaseOperator``.
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
        """Cancel the job, and return its status: CANCELLED, unless it finished first."""
        from airflow_provider_cortex.cortex.owner_comment import job_and_owner
        from airflow_provider_cortex.waiting import cancelling

        with self.cortex(context) as hook:
            job_id = self.required_cell("finetune_job_id").strip()
            job = hook.describe(job_id)
            name = job_and_owner(job)
            if not job.is_finished:
                self.log.info("Cancelling fine-tuning job %s", name)
                job = cancelling.cancel_job(job_id, hook, checks=CANCEL_CHECKS, log=self.log)
            elif self.fail_if_over:
                raise FineTuneFinishedError(job_id, job.state)
            else:
                self.log.info("Fine-tuning job %s has already finished: %s", name, job.state)
            return job.status.value
