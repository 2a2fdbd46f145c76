"""Which jobs to ask for in one statement, and what to learn from how that went."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

FEWER = 4
"""Into how many statements the jobs of one that nobody answered are divided the next time."""

NO_DOUBT = sys.maxsize


@dataclass(slots=True)
class DescribeBatches:
    """
    Divide jobs among statements.

    Two things can go wrong with a statement for many jobs. Snowflake may refuse it: for one of the jobs, or
    for their number. Or it may not be answered at all: the network's fault, or that of a job on which
    Snowflake chokes; such a job is not to take the same others with it again and again.

    :param size: the most jobs in one statement.
    """

    size: int
    _limits: dict[str, int] = field(default_factory=dict)
    _doubt: int = NO_DOUBT

    def divide(self, job_ids: Iterable[str]) -> list[list[str]]:
        """Return the statements for *job_ids*, those that had better be small last."""
        by_limit: dict[int, list[str]] = {}
        for job_id in job_ids:
            by_limit.setdefault(min(self.size, self._limits.get(job_id, self.size)), []).append(
                job_id
            )
        return [
            batch
            for limit, those in sorted(by_limit.items(), reverse=True)
            for batch in divided(those, limit)
        ]

    def answered(self, job_ids: Sequence[str]) -> None:
        """Take note of a statement that was answered: its jobs are beyond suspicion, and so is its size."""
        for job_id in job_ids:
            self._limits.pop(job_id, None)
        if len(job_ids) > self._doubt:
            self._doubt = NO_DOUBT

    def unanswered(self, job_ids: Sequence[str]) -> None:
        """Take note of a statement that was not: next time its jobs have less company."""
        self._limits |= dict.fromkeys(job_ids, max(1, len(job_ids) // FEWER))

    def too_many(self, *, enough: int) -> bool:
        """
        Take note that more jobs than *enough* were refused together, and then none of them alone.

        The first time that raises a doubt, since it may pass; the second time it is a rule. Returns
        whether it has become one just now.
        """
        if enough >= self.size:
            return False
        if enough != self._doubt:
            self._doubt = min(enough, self._doubt)
            return False
        self.size = enough
        return True


def divided(job_ids: Sequence[str], size: int) -> list[list[str]]:
    """Return *job_ids* in parts of at most *size*."""
    return [list(job_ids[start : start + size]) for start in range(0, len(job_ids), size)]
