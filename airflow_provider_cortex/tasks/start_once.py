"""
Whether a fine-tuning job is this task's own, so that a retry does not pay for another one.

CREATE is not idempotent, and a worker may die between Cortex's answer and Airflow's XCom. Two
things prove that a job is a task's own. On Airflow 3.3, the task keeps the job's id in the task
state store. And it ends the training query with a comment, which holds a hash of DAG, run, task,
map index and model name, and which DESCRIBE returns in ``training_data`` (a guess). A job that
only looks alike is never adopted.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from airflow_provider_cortex.airflow_api.settings import batch_size
from airflow_provider_cortex.cortex.describe_batches import divided
from airflow_provider_cortex.cortex.job import FineTuneJob, JobStatus
from airflow_provider_cortex.cortex.ownership import Owner
from airflow_provider_cortex.errors import RejectedError, UnreadableAnswerError, error_text, excerpt
from airflow_provider_cortex.tasks.links import base_url
from airflow_provider_cortex.waiting.progress import Log
from airflow_provider_cortex.waiting.store import Store

if TYPE_CHECKING:
    from airflow_provider_cortex.hooks import CortexHook


def owner_of(context: Any, *, task_id: str, model: str) -> Owner:
    """
    Return who starts a job.

    :param task_id: of the operator, which a ``@task`` function may have made.
    :param model: the name asked for.
    """
    ti = context["ti"]
    return Owner(
        deployment=base_url(),
        dag_id=ti.dag_id,
        task_id=ti.task_id,
        run_id=ti.run_id,
        map_index=ti.map_index,
        call=f"{task_id} {model}",
    )


class JobSearch:
    """
    The search for a job that an earlier try of this task has started.

    :param owner: this task.
    :param log: the task's.
    """

    def __init__(self, owner: Owner, hook: CortexHook, context: Any, log: Log) -> None:
        self._owner = owner
        self._hook = hook
        self._log = log
        self._store = Store(context, f"finetune_job_{owner.proof}", log)
        # Airflow counts a try whenever it schedules the task, a cleared one too. The first has nothing to find.
        self._is_first_try = getattr(context["ti"], "try_number", 1) <= 1

    def note(self, job_id: str) -> None:
        """Keep the id of a job that this task has started, where the next try finds it."""
        self._store.write(job_id)

    def find(self) -> FineTuneJob | None:
        """
        Return the job of an earlier try, None if there is none, or none with a model to use.

        :raises CortexError: as the hook does. It is not known then whether there is one.
        """
        return next(filter(self._is_usable, self._own_jobs()), None)

    def _own_jobs(self) -> Iterator[FineTuneJob]:
        """Yield the jobs that are proved to be this task's: the one that it noted, then the newest first."""
        noted = self._store.read()
        if isinstance(noted, str):
            try:
                yield self._hook.describe(noted)
            except RejectedError as error:
                self._log.warning("Not reusing fine-tuning job %s: %s", noted, error)
        if self._is_first_try:
            return
        shown = [job for job in self._hook.show(skip_unreadable=True) if job.id != noted]
        shown.sort(
            key=lambda job: job.created_on.timestamp() if job.created_on else 0, reverse=True
        )
        for job_ids in divided([job.id for job in shown], batch_size()):
            yield from filter(self._owner.owns, self._described(job_ids))

    def _described(self, job_ids: list[str]) -> Iterator[FineTuneJob]:
        """Yield the jobs that Cortex describes: if it rejects one, it rejects the statement, so by halves."""
        try:
            answers = self._hook.describe_all(job_ids)
        except RejectedError:
            if len(job_ids) > 1:
                half = len(job_ids) // 2
                yield from self._described(job_ids[:half])
                yield from self._described(job_ids[half:])
            return
        for job_id, answer in zip(job_ids, answers, strict=True):
            try:
                yield FineTuneJob.parse(answer, job_id=job_id)
            except UnreadableAnswerError as error:
                self._log.warning("Not reusing fine-tuning job %s: %s", job_id, error)

    def _is_usable(self, job: FineTuneJob) -> bool:
        """Return whether a job of this task has made a model that is there, or may still make one."""
        reason = None
        if job.status is JobStatus.ERROR:
            error = job.error and excerpt(error_text(job.error.code, job.error.message))
            reason = f"it failed: {error}" if error else "it failed"
        elif job.status is JobStatus.CANCELLED:
            reason = "it was cancelled"
        elif job.status is JobStatus.SUCCESS and job.model and not self._hook.has_model(job.model):
            reason = f"its model {job.model} has been dropped"
        if reason:
            self._log.info(
                "Not reusing fine-tuning job %s (%s), which an earlier try of this task started: %s",
                job.id,
                job.state,
                reason,
            )
        return reason is None
