"""Which jobs share one DESCRIBE statement."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

SPLIT = 4
"""Into how many statements the jobs of an unanswered statement are divided the next time."""


@dataclass
class DescribeBatches:
    """
    Divide jobs among statements, and remember which jobs had better travel in small batches.

    Snowflake may reject a statement because of one job, or because there are too many. It may
    also not answer: the network failed, or one job makes Snowflake fail. Such a job must not take
    the same others with it each time.

    :param size: the most jobs in one statement.
    """

    size: int
    _limits: dict[str, int] = field(default_factory=dict)

    def divide(self, job_ids: Iterable[str]) -> list[list[str]]:
        """Return the batches for *job_ids*, the largest first."""
        by_limit: dict[int, list[str]] = {}
        for job_id in job_ids:
            limit = min(self.size, self._limits.get(job_id, self.size))
            by_limit.setdefault(limit, []).append(job_id)
        batches = []
        for limit, ids in sorted(by_limit.items(), reverse=True):
            batches += _chunks(ids, limit)
        return batches

    def answered(self, job_ids: Sequence[str]) -> None:
        """Record an answered statement: its jobs may share large batches again."""
        for job_id in job_ids:
            self._limits.pop(job_id, None)

    def unanswered(self, job_ids: Sequence[str]) -> None:
        """Record an unanswered statement; its jobs are retried in smaller batches."""
        self._limits |= dict.fromkeys(job_ids, max(1, len(job_ids) // SPLIT))

    def rejected(self, job_ids: Sequence[str]) -> list[list[str]]:
        """Record a rejected statement, and return its jobs in two halves."""
        half = (len(job_ids) + 1) // 2
        self._limits |= dict.fromkeys(job_ids, half)
        return _chunks(job_ids, half)


def _chunks(job_ids: Sequence[str], size: int) -> list[list[str]]:
    return [list(job_ids[start : start + size]) for start in range(0, len(job_ids), size)]
