"""
The comment in a job's training query that names its Airflow task.

A task recognizes its own job by it, and a reader sees who started a job.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from airflow_provider_cortex.cortex import source_query
from airflow_provider_cortex.cortex.job import FineTuneJob
from airflow_provider_cortex.safe_text import for_log

_COMMENT = re.compile(r"/\*\s*airflow-task\s+(?P<proof>[0-9a-f]{32})\b(?P<task>[^*]*)\*/")

# Guess own-comment: DESCRIBE returns the training query as it was given, with its comments. A real
# record has even the final semicolon. If wrong: a retry cannot prove its job by the comment:
# before Airflow 3.3 it starts another one. The task that starts a job warns about it.
_REPLACED = re.compile(r"[^\w.:+~@=-]")
"""Characters that the comment replaces. Airflow's rules for ids exclude nearly all of them."""


@dataclass(frozen=True, kw_only=True)
class Owner:
    """
    The task instance that starts a job.

    :param deployment: the ``base_url`` of this Airflow. Another Airflow, such as a staging
        environment, may run the same DAGs against the same Snowflake account.
    :param map_index: -1 for a task that is not mapped.
    :param call: distinguishes several jobs of one task instance, for example by the model's name:
        a ``@task`` function may call the operator several times.
    """

    deployment: str
    dag_id: str
    task_id: str
    run_id: str
    map_index: int
    call: str

    @property
    def proof(self) -> str:
        """A hash of all fields, 32 hexadecimal digits. It is the same in each try of the task."""
        return hashlib.sha256(repr(self).encode("utf-8", "surrogatepass")).hexdigest()[:32]

    @property
    def comment(self) -> str:
        """
        The comment for the training query: ``/* airflow-task <hash> <DAG>.<task> <run> */``.

        DESCRIBE returns it in ``training_data`` (guess own-comment).
        """
        words = [f"{self.dag_id}.{self.task_id}", self.run_id]
        if self.map_index >= 0:
            words.append(f"map_index={self.map_index}")
        name = " ".join(_REPLACED.sub("?", word) for word in words)
        return f"/* airflow-task {self.proof} {name} */"

    def mark(self, data: str) -> str:
        """Return a query with the comment; other data as it is, since it cannot have a comment."""
        return data if source_query.is_not_sql(data) else f"{data} {self.comment}"

    def owns(self, job: FineTuneJob) -> bool:
        """Return whether a job, as DESCRIBE returned it, is proved to be this task's own."""
        found = _comment(job)
        return found is not None and found["proof"] == self.proof


def owner(job: FineTuneJob) -> str | None:
    """Return the Airflow task that started a job, for display; None if it is unknown."""
    found = _comment(job)
    return (found and found["task"].strip()) or None


def job_and_owner(job: FineTuneJob) -> str:
    """
    Return a job's id and, if its data says so, which Airflow task started it; safe for a log.
    """
    task = owner(job)
    return for_log(f"{job.id} (started by Airflow task {task})" if task else job.id)


def _comment(job: FineTuneJob) -> re.Match[str] | None:
    """Return the last comment of a task; earlier ones were copied with another job's query."""
    found = list(_COMMENT.finditer(job.training_data or ""))
    return found[-1] if found else None
