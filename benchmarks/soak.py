"""
``make soak``: hundreds of waits come and go in one triggerer, and what it takes up stays the same.

Exit status 1 if something grows, or if a wait goes wrong. A soak of less than five minutes is too short
to see growth: it only checks that every wait goes as it must, and does not write to RESULTS.md.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from cryptography.fernet import Fernet

from benchmarks import emulator, machine, results
from benchmarks.account import Account, opened
from benchmarks.flatness import Criterion, Sample, criteria
from benchmarks.table import table

if TYPE_CHECKING:
    from benchmarks.crowd import Crowd

SHORTEST = 5.0
"""Minutes: in less, not all that happens has happened in the fifth that is for warming up."""

ROWS = 10
BARS = "▁▂▃▄▅▆▇█"

HEADS = (
    "minutes",
    "waits",
    "jobs done",
    "memory MB",
    "blocks, k",
    "threads",
    "descriptors",
    "tasks",
    "sessions",
    "loop p99 ms",
)


TEXT = """\
## Soak

Airflow's own triggerer process (`TriggerRunner`), for which this command plays supervisor and scheduler: 500
`CortexFineTuneTrigger`s at a time, `poke_interval=10`, each for a job of its own that runs 20 to 240 s. A
trigger that is through is replaced by another with a new job. Of a hundred jobs 5 fail and 5 are cancelled; 5
tasks are cleared by somebody, every other one with `cancel_on_kill`; 3 waits end at a deadline before their
job does, and 2 once get an answer that nobody can read. Every minute a job that Cortex does not know is among
them; all sessions expire; and 20 waits with a second connection come and go, so that its client, with its
thread and its session, is opened and closed again. Connections are looked up through the supervisor. Real
driver, HTTPS, the emulator in a process of its own, with the same delays as above.

Every 5 s it is noted what the triggerer takes up, after a garbage collection; these are the medians of each
tenth of the time. **waits**, triggers that run; **memory**, resident, with `MALLOC_ARENA_MAX=1`: else glibc
gives a heap of its own to each of the threads that happen to be busy at once, up to eight for each core, and
keeps them, 2 MB each; **blocks**, thousands of those that Python has allocated; **threads** and
**descriptors**, as the system counts them: up to six threads are Airflow's, for whatever its triggers give to one;
**tasks**, in the event loop beside those of the triggers; **sessions**, open in the account; **loop**, by how
much it was late, with whatever else the machine did at the time (not judged)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Soak:
    """What came of it."""

    samples: Sequence[Sample]
    seconds: float
    status: int
    """What the triggerer exited with."""
    outcomes: Mapping[str, int]
    surprises: Sequence[str]
    """Waits that did not go as they had to."""
    overdue: int
    """Waits for jobs that had long been over when the time was up."""
    counts: Mapping[str, int]
    """The account's, when the triggerer was gone."""

    @property
    def is_short(self) -> bool:
        """Whether it was too short to see growth."""
        return self.seconds < 60 * SHORTEST

    @property
    def criteria(self) -> list[Criterion]:
        return criteria(self.samples, until=self.seconds)

    @property
    def was_killed(self) -> bool:
        """Whether the triggerer did not end by itself: Airflow's own trouble, which the supervisor tells of."""
        return self.status == -signal.SIGKILL

    @property
    def went_wrong(self) -> bool:
        """Whether something else than numbers is not as it should be."""
        if not self.outcomes:
            return True
        if self.was_killed:
            return bool(self.surprises or self.overdue)
        return bool(self.surprises or self.overdue or self.status or self.counts["sessions"])

    @property
    def is_flat(self) -> bool:
        """Whether all is as it should be."""
        return not self.went_wrong and all(criterion.is_met for criterion in self.criteria)


class Notes:
    """
    What the triggerer has noted of itself, put together with what is known outside.

    :param path: the file into which it writes.
    """

    def __init__(self, path: Path, crowd: Crowd, cortex: Account) -> None:
        self.path = path
        self.samples: list[Sample] = []
        self._crowd = crowd
        self._cortex = cortex

    def look(self) -> None:
        """Read what is new."""
        if not self.path.exists():
            return
        lines = self.path.read_text(encoding="utf-8").splitlines()
        for line in lines[len(self.samples) :]:
            noted = json.loads(line)
            seconds = noted.pop("time") - self._crowd.began
            sessions = self._cortex.counts()["sessions"]
            sample = Sample(seconds=seconds, done=self._crowd.done, sessions=sessions, **noted)
            self.samples.append(sample)
            _say("  ".join(cell.rjust(8) for cell in _row([sample])))


def soak(minutes: float) -> Soak:
    """Let waits come and go for so long."""
    with (
        TemporaryDirectory(prefix="cortex-benchmark-") as folder,
        opened(folder) as cortex,
    ):
        environment = emulator.environment(cortex.cortex, folder)
        # Else each thread that is busy at the same time as others may get a heap of its own, and keeps it.
        environment.setdefault("MALLOC_ARENA_MAX", "1")
        # Its supervisor has the connections, as in any deployment.
        connection = environment.pop("AIRFLOW_CONN_SNOWFLAKE_DEFAULT")
        environment["AIRFLOW__CORE__FERNET_KEY"] = Fernet.generate_key().decode()
        # Before anything here imports Airflow, which reads its settings then.
        os.environ.clear()
        os.environ.update(environment)
        from benchmarks.crowd import MAIN, OTHER, Crowd
        from benchmarks.supervisor import supervise

        crowd = Crowd(cortex, seconds=60 * minutes)
        notes = Notes(Path(folder) / "notes", crowd, cortex)
        _say("  ".join(head.rjust(8) for head in HEADS))
        status = supervise(
            crowd,
            {MAIN: connection, OTHER: connection},
            notes=notes.path,
            environment=environment,
            look=notes.look,
        )
        return Soak(
            samples=notes.samples,
            seconds=60 * minutes,
            status=status,
            outcomes=dict(crowd.outcomes),
            surprises=crowd.surprises,
            overdue=len(crowd.overdue()),
            counts=cortex.counts(),
        )


def describe(soaked: Soak) -> str:
    """Return it as Markdown."""
    samples = soaked.samples
    tenths = [
        [one for one in samples if int(ROWS * one.seconds / soaked.seconds) == number]
        for number in range(ROWS)
    ]
    curve = table(HEADS, [_row(tenth) for tenth in tenths if tenth])
    bars = f"Memory, from nothing: `{_spark([sample.resident for sample in samples])}`"
    return "\n\n".join(
        [TEXT, machine.described(), curve, bars, _verdicts(soaked), _account_of(soaked)]
    )


def _verdicts(soaked: Soak) -> str:
    if soaked.is_short:
        return (
            f"Too short to see growth: that takes {SHORTEST:g} minutes. This soak only checks that the"
            " waits go as they must and leave no session open."
        )
    return table(
        ("the last fifth against the second", "growth", "at most", ""),
        [
            (one.name, f"{one.growth:+.2f}", _limit(one), "flat" if one.is_met else "NOT FLAT")
            for one in soaked.criteria
        ],
    )


def _account_of(soaked: Soak) -> str:
    outcomes = ", ".join(f"{name} {number:,}" for name, number in sorted(soaked.outcomes.items()))
    counts = soaked.counts
    when = "was killed, for it did not end" if soaked.was_killed else "stopped"
    return (
        f"{soaked.seconds / 60:g} minutes; how the waits went: {outcomes}. {counts['logins']:,} logins,"
        f" {counts['statements']:,} statements.\n\nWaits that did not go as they had to:"
        f" {len(soaked.surprises)}; overdue at the end: {soaked.overdue}; sessions that the triggerer left"
        f" open when it {when}: {counts['sessions']}."
    )


def _limit(criterion: Criterion) -> str:
    return f"{'±' if criterion.both_ways else '+'}{criterion.limit:g}"


def _row(samples: Sequence[Sample]) -> list[str]:
    """Return the medians of *samples*."""

    def middle(of: Callable[[Sample], float]) -> float:
        return median(map(of, samples))

    return [
        f"{middle(lambda one: one.seconds) / 60:.1f}",
        f"{middle(lambda one: one.triggers):.0f}",
        f"{middle(lambda one: one.done):,.0f}",
        f"{middle(lambda one: one.resident) / 1e6:.1f}",
        f"{middle(lambda one: one.blocks) / 1e3:,.1f}",
        f"{middle(lambda one: one.threads):.0f}",
        f"{middle(lambda one: one.descriptors):.0f}",
        f"{middle(lambda one: one.tasks):.0f}",
        f"{middle(lambda one: one.sessions):.0f}",
        f"{middle(lambda one: one.late):.1f}",
    ]


def _spark(values: Sequence[float]) -> str:
    """Return *values* as bars, from nothing to the largest."""
    top = max(values)
    return "".join(BARS[min(len(BARS) - 1, int(len(BARS) * value / top))] for value in values)


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - it is a command


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    soaked = soak(parser.parse_args().minutes)
    section = describe(soaked)
    _say(f"\n{section}")
    for surprise in soaked.surprises[:10]:
        _say(f"- {surprise}")
    if soaked.is_short:
        sys.exit(1 if soaked.went_wrong else 0)
    results.write([section])
    _say(f"\nWritten to {results.RESULTS}")
    if not soaked.is_flat:
        sys.exit("\nNot flat.")


if __name__ == "__main__":
    main()
