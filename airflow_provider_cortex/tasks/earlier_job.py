"""
Find the fine-tuning job that an earlier try of the same task has started.

CREATE is not idempotent, and a worker may die between Cortex's answer and Airflow's XCom. Two
things prove that a job is a task's own. On Airflow 3.3 the task keeps the job's id in the task
state store. And it ends the training query with a comment, which holds a hash of DAG, run, task,
map index and model name, and which DESCRIBE returns in ``training_data`` (guess own-comment). A
job that only looks alike is never reused.

A job whose description cannot be read may be this task's own. While it runs, the search fails, and
Airflow may retry it: a second job costs more. Once it has finished (SHOW reports that), the task
starts another job: otherwise one such job of anybody would make every retry fail for ever, and if
it were this task's own, the sensor could not read its model's name either.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from airflow_provider_cortex.airflow_api.settings import base_url
from airflow_provider_cortex.cortex.job import FineTuneJob, JobStatus
from airflow_provider_cortex.cortex.owner_comment import Owner
from airflow_provider_cortex.errors import RejectedError, UnreachableError, UnreadableAnswerError
from airflow_provider_cortex.safe_text import excerpt, for_log
from airflow_provider_cortex.waiting.task_state_store import TaskStateStore

if TYPE_CHECKING:
    from airflow_provider_cortex.cortex.finetune import JobOrError
    from airflow_provider_cortex.hooks import CortexHook
    from airflow_provider_cortex.waiting.wait_log import Log


def owner_of(context: Any, *, task_id: str, model: str) -> Owner:
    """
    Return the owner of the jobs that a task starts.

    :param task_id: the operator's, which a ``@task`` function may have made.
    :param model: the requested name.
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
        self._store = TaskStateStore(context, f"finetune_job_{owner.proof}", log)
        # Airflow counts a try whenever it schedules the task, also a cleared one: a first try has
        # no earlier one.
        self._is_first_try = getattr(context["ti"], "try_number", 1) <= 1

    def remember(self, job_id: str) -> None:
        """Keep the id of a job that this task has started, for its next try."""
        self._store.write(job_id)

    def find(self) -> FineTuneJob | None:
        """
        Return the job of an earlier try; None if there is none that has, or may still make, a
        model.

        :raises CortexError: as the hook does: then it is unknown whether there is one.
        """
        return next(filter(self._is_usable, self._own_jobs()), None)

    def _own_jobs(self) -> Iterator[FineTuneJob]:
        """
        Yield the jobs that are proved to be this task's: the remembered one, then newest first.
        """
        remembered = self._store.read()
        if isinstance(remembered, str):
            try:
                yield self._hook.describe(remembered)
            except RejectedError as error:
                self._log.warning("Not reusing fine-tuning job %s: %s", for_log(remembered), error)
        if self._is_first_try:
            return
        jobs = [job for job in self._hook.show(skip_unreadable=True) if job.id != remembered]
        jobs.sort(key=lambda job: job.created_on.timestamp() if job.created_on else 0, reverse=True)
        shown = {job.id: job for job in jobs}
        for job_id, outcome in self._describe(shown):
            match outcome:
                case FineTuneJob() if self._owner.owns(outcome):
                    yield outcome
                case UnreachableError():
                    raise UnreachableError(
                        "could not search all jobs for the one of an earlier try, and starts"
                        f" none; a retry searches again: {outcome}"
                    ) from outcome.__cause__
                case UnreadableAnswerError() if not shown[job_id].is_finished:
                    raise UnreachableError(
                        "could not read a running job, perhaps the one of an earlier try, and starts"
                        f" none; a retry searches again: {outcome}.",
                        'To start another one anyway, set if_exists="create".',
                    ) from outcome
                case UnreadableAnswerError():
                    self._log.warning(
                        "Not reusing fine-tuning job %s: %s", for_log(job_id), outcome
                    )

    def _describe(self, job_ids: Iterable[str]) -> Iterator[tuple[str, JobOrError]]:
        """
        Yield each job's description, or the error. An unreadable one is asked for again, at last.
        """
        unreadable = []
        for outcomes in self._hook.jobs().describe_in_batches(job_ids):
            for job_id, outcome in outcomes.items():
                if isinstance(outcome, UnreadableAnswerError):
                    unreadable.append(job_id)  # perhaps by chance
                else:
                    yield job_id, outcome
        for outcomes in self._hook.jobs().describe_in_batches(unreadable):
            yield from outcomes.items()

    def _is_usable(self, job: FineTuneJob) -> bool:
        """
        Return whether a job of this task has made a model that exists, or may still make one.
        """
        reason = None
        if job.status is JobStatus.ERROR:
            error = job.error and excerpt(job.error.text)
            reason = f"it failed: {error}" if error else "it failed"
        elif job.status is JobStatus.CANCELLED:
            reason = "it was cancelled"
        elif job.status is JobStatus.SUCCESS and job.model and not self._hook.has_model(job.model):
            reason = f"its model {job.model} has been dropped"
        if reason:
            self._log.info(
                "Not reusing fine-tuning job %s (%s) from an earlier try: %s",
                for_log(job.id),
                job.state,
                for_log(reason),
            )
        return reason is None
