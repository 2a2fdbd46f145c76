"""Start a fine-tuning job once, however often the task runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_cortex.cortex.finetune_request import FineTuneRequest
from airflow_provider_cortex.cortex.job import FineTuneJob
from airflow_provider_cortex.cortex.owner_comment import Owner
from airflow_provider_cortex.cortex.source_query import is_not_sql
from airflow_provider_cortex.cortex.training_data_report import Limits, Report, gate_error
from airflow_provider_cortex.cortex.training_data_sql import TRAINING, DataCheck
from airflow_provider_cortex.errors import TRANSIENT_ERRORS, CortexError, FineTuneExistsError
from airflow_provider_cortex.safe_text import for_log
from airflow_provider_cortex.tasks import training_queries

if TYPE_CHECKING:
    from airflow_provider_cortex.hooks import CortexHook
    from airflow_provider_cortex.tasks.earlier_job import JobSearch
    from airflow_provider_cortex.waiting.wait_log import Log


@dataclass(frozen=True, kw_only=True)
class StartOnce:
    """
    Start a job, unless an earlier try of the same task has started it.

    :param request: the job. Its training query ends with the owner's comment.
    :param owner: the task.
    :param search: finds the job of an earlier try.
    :param hook: the task's session.
    :param check_not_killed: raises TaskKilledError if the task was killed.
    :param log: the task's.
    """

    request: FineTuneRequest
    owner: Owner
    search: JobSearch
    hook: CortexHook
    check_not_killed: Callable[[], None]
    log: Log

    def job_id(
        self, *, if_exists: str, validate: bool, max_trained_tokens: float | None = None
    ) -> tuple[str, bool]:
        """
        Return the id of the job, and whether it is a new one.

        :param if_exists: what to do if there is one: ``adopt``, ``create`` another, or ``fail``.
        :param validate: have Snowflake compile the queries, and search the datasets' versions,
            before it starts a new one.
        :param max_trained_tokens: start no new one that would train more, by estimate.
        :raises FineTuneExistsError: if there is one, and *if_exists* is ``fail``.
        """
        job = None if if_exists == "create" else self.search.find()
        if job is not None:
            return self._reuse(job, if_exists), False
        if validate:
            training_queries.validate(self.hook, self.request.queries)
            training_queries.check_datasets(self.hook, self.request.datasets, self.log)
        if max_trained_tokens is not None:
            self._check_tokens(max_trained_tokens)
        self.check_not_killed()
        job_id = self._create(searches=if_exists != "create")
        self.search.remember(job_id)
        return job_id, True

    def check_proof(self, job_id: str) -> None:
        """
        Warn if Cortex does not return the comment that proves whose job it is. Nothing is raised.
        """
        if self.owner.comment not in self.request.training_data:
            return
        try:
            is_proved = self.owner.owns(self.hook.describe(job_id))
        except CortexError as error:
            self.log.info(
                "Fine-tuning job %s has started, but cannot be described yet: %s",
                for_log(job_id),
                error,
            )
            return
        if not is_proved:
            self.log.warning(
                "Cortex did not return the comment %s of fine-tuning job %s: without Airflow 3.3's task"
                " state store, a retry of this task would not find the job, and start another one",
                self.owner.comment,
                for_log(job_id),
            )

    def _reuse(self, job: FineTuneJob, if_exists: str) -> str:
        if if_exists == "fail":
            raise FineTuneExistsError(job.id, job.state)
        self.log.info(
            "Reusing fine-tuning job %s (%s) from an earlier try; not starting another",
            for_log(job.id),
            job.state,
        )
        if changed := self.request.differences(job):
            self.log.warning(
                "Fine-tuning job %s was started with another %s than this task has now. To train again,"
                ' run this task with if_exists="create".',
                for_log(job.id),
                " and ".join(changed),
            )
        return job.id

    def _check_tokens(self, most: float) -> None:
        """
        Have Snowflake count the tokens to train.

        :raises GateError: if there are more, or not all of them can be counted.
        """
        request = self.request
        check = DataCheck(base_model=request.base_model, training_data=request.training_data)
        report = Report(
            base_model=check.base_model,
            training=training_queries.measure(self.hook, check, TRAINING),
            epochs=request.options.get("max_epochs"),
        )
        if missed := report.missed(Limits(max_trained_tokens=most)):
            raise gate_error("No job was started", missed)
        self.log.info("Estimated trained tokens: %s", f"{report.trained_tokens:,}")

    def _create(self, *, searches: bool) -> str:
        request = self.request
        try:
            job_id = self.hook.create(
                request.model,
                request.base_model,
                request.training_data,
                validation_data=request.validation_data,
                options=request.options,
            )
        except TRANSIENT_ERRORS:
            finds = searches and not is_not_sql(request.training_data)
            then = "looks for it first" if finds else "starts another one"
            self.log.warning("Cortex may have started the job anyway: a retry %s", then)
            raise
        self.log.info(
            "Cortex accepted fine-tuning job %s for model %s",
            for_log(job_id),
            for_log(request.model),
        )
        return job_id
