"""Start a fine-tuning job, cancel it, and use the model that it made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, get_args

from airflow_provider_cortex import adoption, fate
from airflow_provider_cortex.adoption import Intent, Notes
from airflow_provider_cortex.cortex.job import FineTuneJob
from airflow_provider_cortex.cortex.progress import state
from airflow_provider_cortex.cortex.request import COLUMNS, FineTuneRequest, check_columns
from airflow_provider_cortex.cortex.statements import COMPLETION_FUNCTIONS, CompletionFunction
from airflow_provider_cortex.errors import (
    FineTuneExistsError,
    FineTuneOverError,
    QueryError,
    RefusedError,
    UnreachableError,
    UnreadableAnswerError,
    excerpt,
)
from airflow_provider_cortex.tasks import CortexTask

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context, XComArg

    from airflow_provider_cortex.hooks import CortexHook

IfExists = Literal["adopt", "create", "fail"]
IF_EXISTS: tuple[str, ...] = get_args(IfExists)

LOOKS = 5
"""How many times to look at the most, until a cancel has taken effect."""


class CortexFineTuneOperator(CortexTask):
    """
    Start a Snowflake Cortex fine-tuning job, and return its id.

    The task ends as soon as Cortex has taken the job on: wait for it with
    :class:`~airflow_provider_cortex.sensors.CortexFineTuneSensor`.

    It starts a job once. Cortex would start, and have paid for, another one at every call, so a retry, a
    cleared task or the successor of a worker that died first looks for the job that an earlier try has
    started: with the same base model, queries and options, created since the DAG run began, neither failed nor
    cancelled, and not started by another task of the run. Two *runs* that ask for the very same at the same time
    cannot be told apart: let them not overlap (``max_active_runs=1``), or ask for something else.

    :param model: the name wished for the tuned model: an identifier or a qualified one, quoted or not.
        (templated)
    :param base_model: the model to tune, such as ``llama3.1-8b``. (templated)
    :param training_data: a query with the columns PROMPT and COMPLETION, the path of a ``.sql`` file
        with one, or a table's name. (templated)
    :param validation_data: the same for validation; without it Cortex splits the training data.
        (templated)
    :param options: Cortex's own, such as ``{"max_epochs": 3}``. (templated)
    :param validate: have Snowflake compile both queries first, which tells at once what Cortex would only tell
        when the job has failed.
    :param if_exists: what to do if the job is there: ``adopt`` it, that is, return its id; ``fail``; or
        ``create`` another one without looking, at every try.
    :param kwargs: as of :class:`~airflow_provider_cortex.tasks.CortexTask` and ``BaseOperator``.
    :raises ValueError: if *if_exists* is none of these.
    """

    template_fields: Sequence[str] = (
        "model",
        "base_model",
        "training_data",
        "validation_data",
        "options",
        *CortexTask.template_fields,
    )
    template_ext: Sequence[str] = (".sql",)
    template_fields_renderers = {
        "training_data": "sql",
        "validation_data": "sql",
        "options": "json",
    }
    ui_color = "#d6f0fa"

    def __init__(
        self,
        *,
        model: str,
        base_model: str,
        training_data: str,
        validation_data: str | None = None,
        options: Mapping[str, Any] | None = None,
        validate: bool = True,
        if_exists: IfExists = "adopt",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if if_exists not in IF_EXISTS:
            raise ValueError(f"if_exists must be one of {', '.join(IF_EXISTS)}, not {if_exists!r}")
        self.model = model
        self.base_model = base_model
        self.training_data = training_data
        self.validation_data = validation_data
        self.options = options
        self.validate = validate
        self.if_exists = if_exists

    def execute(self, context: Context) -> str:
        """Start the job, unless it is there, and return its id."""
        with self.failing_rightly():
            request = self._request()
        with self.cortex(context) as hook:
            hook.open()
            job = self._earlier(request, hook, context)
            if job is not None:
                return self._adopt(job)
            if self.validate:
                self._validate(request, hook)
            return self._create(request, hook, Notes(context, self.log))

    def _request(self) -> FineTuneRequest:
        """Return what to ask of Cortex, checked."""
        request = FineTuneRequest(
            model=self.required("model"),
            base_model=self.required("base_model"),
            training_data=self.required("training_data"),
            validation_data=None
            if self.validation_data is None
            else self.required("validation_data"),
            options=self.options or {},
        )
        if request.unknown_options:
            self.log.warning(
                "Options that this package does not know go to Cortex as they are: %s",
                excerpt(", ".join(request.unknown_options)),
            )
        return request

    def _earlier(
        self, request: FineTuneRequest, hook: CortexHook, context: Context
    ) -> FineTuneJob | None:
        """Return the job that an earlier try of this task has started, if there is one."""
        if self.if_exists == "create":
            return None
        intent = Notes(context, self.log).read()
        if adoption.is_first_of_many(context, intent):
            return None
        since = adoption.earliest(context)
        found = adoption.find(request, hook=hook, since=since, intent=intent, log=self.log)
        if found:
            others = self._jobs_of_others(context)
            found = [job for job in found if job.id not in others]
        return found[0] if found else None

    def _jobs_of_others(self, context: Context) -> list[object]:
        """Return the ids that tasks of this run have returned. This one's is gone since its try began."""
        dag = self.get_dag()
        tasks = dag.tasks if dag else [self]
        ids = [task.task_id for task in tasks if _starts_jobs(task)]
        return list(context["ti"].xcom_pull(task_ids=ids) or ())

    def _adopt(self, job: FineTuneJob) -> str:
        if self.if_exists == "fail":
            raise FineTuneExistsError(job.id, state(job))
        self.log.info(
            "Adopted fine-tuning job %s (%s), which an earlier try of this task has started: no other one is"
            " paid for",
            job.id,
            state(job),
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
            except RefusedError as refusal:
                self._explain(argument, query, hook)
                raise QueryError(argument, f"cannot be read: {said(refusal)}") from refusal

    def _explain(self, argument: str, query: str, hook: CortexHook) -> None:
        """Raise why PROMPT and COMPLETION cannot be read from a query, if that can be found out."""
        try:
            columns = hook.columns(argument, query)
        except RefusedError as refusal:
            raise QueryError(
                argument, f"is no query that Snowflake can run here: {said(refusal)}"
            ) from refusal
        check_columns(argument, columns)

    def _create(self, request: FineTuneRequest, hook: CortexHook, notes: Notes) -> str:
        intent = Intent(since=datetime.now(tz=UTC))
        notes.write(intent)
        try:
            job_id = hook.create(
                request.model,
                request.base_model,
                request.training_data,
                validation_data=request.validation_data,
                options=request.options,
            )
        except (UnreachableError, UnreadableAnswerError):
            then = "starts another one" if self.if_exists == "create" else "looks for it first"
            self.log.warning("Cortex may have started the job all the same: a retry %s", then)
            raise
        notes.write(replace(intent, finetune_job_id=job_id))
        self.log.info("Cortex took on fine-tuning job %s for model %s", job_id, request.model)
        return job_id


class CortexCancelFineTuneOperator(CortexTask):
    """
    Cancel a fine-tuning job, look whether that took effect, and return the status that was found.

    A job that is over is left as it is.

    :param finetune_job_id: the id that CREATE returned. (templated)
    :param fail_if_over: fail, rather than succeed, if the job is over already.
    :param kwargs: as of :class:`~airflow_provider_cortex.tasks.CortexTask` and ``BaseOperator``.
    """

    template_fields: Sequence[str] = ("finetune_job_id", *CortexTask.template_fields)
    ui_color = "#d6f0fa"

    def __init__(
        self, *, finetune_job_id: str | XComArg, fail_if_over: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.finetune_job_id = finetune_job_id
        self.fail_if_over = fail_if_over
        self.remember_source("finetune_job_id")

    def execute(self, context: Context) -> str:
        """Cancel the job, and return its status: CANCELLED, unless it was faster."""
        with self.cortex(context) as hook:
            job_id = self.required("finetune_job_id").strip()
            job = hook.describe(job_id)
            if not job.is_over:
                job = fate.cancel_job(job_id, hook, looks=LOOKS, log=self.log)
            elif self.fail_if_over:
                raise FineTuneOverError(job_id, state(job))
            else:
                self.log.info("Fine-tuning job %s is over already: %s", job_id, state(job))
            return job.status.value


class CortexCompleteOperator(CortexTask):
    """
    Have a model answer a prompt inside Snowflake, and return the answer.

    Neither prompt nor answer is logged.

    :param model: a tuned model by the name that the sensor returned, or a base model. (templated)
    :param prompt: the question. (templated)
    :param model_parameters: such as ``{"temperature": 0, "max_tokens": 100}``. (templated)
    :param response_format: ``{"type": "json", "schema": {…}}`` for an answer that is an object by this
        JSON schema. (templated)
    :param function: ``AI_COMPLETE``, or ``COMPLETE`` where an account has no other yet: Snowflake is
        retiring it.
    :param kwargs: as of :class:`~airflow_provider_cortex.tasks.CortexTask` and ``BaseOperator``.
    """

    template_fields: Sequence[str] = (
        "model",
        "prompt",
        "model_parameters",
        "response_format",
        *CortexTask.template_fields,
    )
    template_fields_renderers = {"model_parameters": "json", "response_format": "json"}
    ui_color = "#d6f0fa"

    def __init__(
        self,
        *,
        model: str | XComArg,
        prompt: str | XComArg,
        model_parameters: Mapping[str, Any] | None = None,
        response_format: Mapping[str, Any] | None = None,
        function: CompletionFunction = "AI_COMPLETE",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if function not in COMPLETION_FUNCTIONS:
            message = f"function must be one of {', '.join(COMPLETION_FUNCTIONS)}, not {function!r}"
            raise ValueError(message)
        self.model = model
        self.prompt = prompt
        self.model_parameters = model_parameters
        self.response_format = response_format
        self.function = function
        self.remember_source("model")

    def execute(self, context: Context) -> Any:
        """Return the model's answer: text, or an object by the response format."""
        with self.cortex(context) as hook:
            return hook.complete(
                self.required("model"),
                self.required("prompt"),
                model_parameters=self.model_parameters,
                response_format=self.response_format,
                function=self.function,
            )


def _starts_jobs(task: object) -> bool:
    """Return whether a task of a DAG, mapped or not, is a CortexFineTuneOperator."""
    kind = getattr(task, "operator_class", type(task))
    return isinstance(kind, type) and issubclass(kind, CortexFineTuneOperator)


def said(refusal: RefusedError) -> str:
    """Return what Snowflake said when it refused something."""
    return excerpt(str(refusal.__cause__ or refusal))
