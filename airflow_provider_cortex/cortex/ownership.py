"""The comment by which a task knows its own fine-tuning job again, and by which people see whose job it is."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from airflow_provider_cortex.cortex import source_query
from airflow_provider_cortex.cortex.job import FineTuneJob

_COMMENT = re.compile(r"/\*\s*airflow-task\s+(?P<proof>[0-9a-f]{32})\b(?P<task>[^*]*)\*/")

_ODD = re.compile(r"[^\w.:+~@=-]")
"""What the comment does not repeat of a name. Airflow's own rules for ids leave hardly any of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """
    The task instance that starts a job.

    :param deployment: what tells this Airflow from another one that runs the same DAGs against the same
        Snowflake account, such as a staging environment: its ``base_url``.
    :param map_index: -1 for a task that is not mapped.
    :param call: what tells several jobs of one task instance apart, such as the model's name: a
        ``@task`` function may call the operator several times.
    """

    deployment: str
    dag_id: str
    task_id: str
    run_id: str
    map_index: int
    call: str

    @property
    def proof(self) -> str:
        """The hash of all of it, 32 hexadecimal digits: the same at each try, and no other task has it."""
        return hashlib.sha256(repr(self).encode("utf-8", "surrogatepass")).hexdigest()[:32]

    @property
    def comment(self) -> str:
        """
        The comment for the query that CREATE gets: ``/* airflow-task <hash> <DAG>.<task> <run> */``.

        That DESCRIBE returns it in ``training_data`` is a guess: a real record has the query as it was given,
        with the semicolon at its end.
        """
        words = [f"{self.dag_id}.{self.task_id}", self.run_id]
        if self.map_index >= 0:
            words.append(f"map_index={self.map_index}")
        named = " ".join(_ODD.sub("?", word) for word in words)
        return f"/* airflow-task {self.proof} {named} */"

    def mark(self, data: str) -> str:
        """Return data with the comment, if it is a query: other data cannot carry one."""
        return data if source_query.is_not_sql(data) else f"{data} {self.comment}"

    def owns(self, job: FineTuneJob) -> bool:
        """Return whether a job, as DESCRIBE returned it, is proved to be this task's."""
        found = _comment(job)
        return found is not None and found["proof"] == self.proof


def owner(job: FineTuneJob) -> str | None:
    """Return which Airflow task started a job, None if its data does not say: for people to read."""
    found = _comment(job)
    return (found and found["task"].strip()) or None


def _comment(job: FineTuneJob) -> re.Match[str] | None:
    """Return the last comment of a task: one before it came with a query that somebody has copied."""
    found = list(_COMMENT.finditer(job.training_data or ""))
    return found[-1] if found else None
