"""The results of a soak, and the section about them."""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from benchmarks import machine
from benchmarks.soak.growth import Criterion, Sample, criteria
from tools.output import markdown_table

SHORTEST = 5.0
"""Minutes. A shorter soak cannot show growth: not everything happens in its first fifth."""

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

Airflow's own triggerer process (`TriggerRunner`); this command acts as its supervisor and
scheduler. At any time 500 `CortexFineTuneTrigger`s with `poke_interval=10` wait over 50 connections,
each for its own job, which takes 20 to 240 s. A trigger that has ended is replaced by another one
with a new job. Of 100 jobs, 5 fail and 5 are cancelled; 5 tasks are cleared by a user, half of them
with `cancel_on_kill`; 3 waits reach a deadline before their job ends; and 2 receive one unreadable
answer. Every minute one wait is for a job that Cortex does not know, and 20 waits with one more
connection begin and end, so that its session is opened and closed again. Every five minutes all
sessions expire. The triggerer asks the supervisor for connections. Real driver, HTTPS, and the
emulator in a process of its own, with the same delays as above.

Every 5 s the triggerer measures itself, after a garbage collection. The table has the medians of
each tenth of the time. **waits**: running triggers; **memory**: resident, with
`MALLOC_ARENA_MAX=1`, because glibc otherwise gives each busy thread a heap of its own, up to eight
per core, and keeps them, 2 MB each; **blocks**: thousands of memory blocks that Python has
allocated; **threads**: as the system counts them, with up to six of Airflow's own, and without the
timers that the driver starts, one for each statement; **descriptors**: the same of open files;
**tasks**: in the event loop, without those of the triggers; **sessions**: open at the emulator;
**loop**: how late the event loop was, which also depends on the machine's other work (not judged)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SoakResult:
    """The results of a soak."""

    samples: Sequence[Sample]
    seconds: float
    status: int
    """The triggerer's exit status."""
    outcomes: Mapping[str, int]
    """How many waits ended in which way."""
    surprises: Sequence[str]
    """Waits that did not end as planned."""
    overdue: int
    """Waits that had not ended at the end of the soak, although their jobs ended long before."""
    counts: Mapping[str, int]
    """The emulator's, after the triggerer had ended."""

    @property
    def is_short(self) -> bool:
        """Whether it was too short to show growth."""
        return self.seconds < 60 * SHORTEST

    @property
    def criteria(self) -> list[Criterion]:
        return criteria(self.samples, until=self.seconds)

    @property
    def was_killed(self) -> bool:
        """Whether the triggerer did not end by itself: an error of Airflow, see the supervisor."""
        return self.status == -signal.SIGKILL

    @property
    def has_failed(self) -> bool:
        """Whether anything is wrong, apart from growth."""
        if not self.outcomes:
            return True
        if self.was_killed:
            return bool(self.surprises or self.overdue)
        return bool(self.surprises or self.overdue or self.status or self.counts["sessions"])

    @property
    def is_flat(self) -> bool:
        """Whether everything is right, and nothing grows."""
        return not self.has_failed and all(criterion.is_met for criterion in self.criteria)


def describe(result: SoakResult) -> str:
    """Return the section as Markdown."""
    samples = result.samples
    tenths = [
        [one for one in samples if int(ROWS * one.seconds / result.seconds) == number]
        for number in range(ROWS)
    ]
    curve = markdown_table(HEADS, [row(tenth) for tenth in tenths if tenth])
    bars = f"Memory, from zero: `{_spark([sample.resident for sample in samples])}`"
    return "\n\n".join([TEXT, machine.description(), curve, bars, _growth(result), _waits(result)])


def row(samples: Sequence[Sample]) -> list[str]:
    """Return the medians of *samples* as cells of the table."""

    def middle(of: Callable[[Sample], float]) -> float:
        return median(map(of, samples))

    return [
        f"{middle(lambda one: one.seconds) / 60:.1f}",
        f"{middle(lambda one: one.triggers):.0f}",
        f"{middle(lambda one: one.finished):,.0f}",
        f"{middle(lambda one: one.resident) / 1e6:.1f}",
        f"{middle(lambda one: one.blocks) / 1e3:,.1f}",
        f"{middle(lambda one: one.threads):.0f}",
        f"{middle(lambda one: one.descriptors):.0f}",
        f"{middle(lambda one: one.tasks):.0f}",
        f"{middle(lambda one: one.sessions):.0f}",
        f"{middle(lambda one: one.lag):.1f}",
    ]


def _growth(result: SoakResult) -> str:
    if result.is_short:
        return (
            f"Too short to show growth, which takes {SHORTEST:g} minutes. This soak only checks that"
            " the waits end as planned and leave no session open."
        )
    return markdown_table(
        ("the last fifth compared with the second", "growth", "max", ""),
        [
            (one.name, f"{one.growth:+.2f}", _limit(one), "flat" if one.is_met else "NOT FLAT")
            for one in result.criteria
        ],
    )


def _waits(result: SoakResult) -> str:
    outcomes = ", ".join(f"{name} {number:,}" for name, number in sorted(result.outcomes.items()))
    counts = result.counts
    end = "was killed because it did not end" if result.was_killed else "stopped"
    return (
        f"{result.seconds / 60:g} minutes. Outcomes of the waits: {outcomes}."
        f" {counts['logins']:,} logins, {counts['statements']:,} statements.\n\n"
        f"Waits that did not end as planned: {len(result.surprises)}; overdue at the end:"
        f" {result.overdue}; sessions left open when the triggerer {end}: {counts['sessions']}."
    )


def _limit(criterion: Criterion) -> str:
    return f"{'±' if criterion.both_ways else '+'}{criterion.limit:g}"


def _spark(values: Sequence[float]) -> str:
    """Return *values* as bars, from zero to the largest."""
    top = max(values)
    return "".join(BARS[min(len(BARS) - 1, int(len(BARS) * value / top))] for value in values)
