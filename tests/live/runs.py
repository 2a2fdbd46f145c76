"""What a run of ``make live`` has printed, and what it has left in the account."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from tests.account import execute

VERDICT = re.compile(r"^([a-z0-9-]+): (confirmed|refuted|could not tell)$", re.MULTILINE)
"""The line of the report with which an entry begins."""


@dataclass
class Result:
    """What a run has printed, and its exit status."""

    status: int
    report: str
    progress: str

    @property
    def verdicts(self):
        """The verdict of each guess."""
        return dict(VERDICT.findall(self.report))

    def entry(self, guess_id):
        """Return what the report says of a guess, in one line."""
        (entry,) = [one for one in self.report.split("\n\n") if one.startswith(f"{guess_id}: ")]
        return " ".join(entry.split())


def tables(emulator):
    """Return the names of the tables in the account."""
    rows = execute(emulator, "SELECT table_name FROM information_schema.tables")
    return [name for (name,) in rows if name.startswith("CORTEX_LIVE")]


Live = Callable[..., Result]
