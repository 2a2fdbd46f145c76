"""The tables at the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from airflow_provider_cortex.emulator import Emulator
from benchmarks.table import table
from cluster.fleet import JOBS, STARTED
from cluster.waits import DEFERRED, KINDS, RESCHEDULED, RIGHT, Wait, Waits

EXPECTED = {DEFERRED: JOBS, RESCHEDULED: STARTED}


def wait_table(waits: Sequence[Wait], seen: Waits, taken_over: int, emulator: Emulator) -> str:
    """
    Return what came of the waits, as Markdown.

    :param taken_over: how many waits a triggerer was told to end, and another one had taken over.
    """
    by_kind = {kind: [wait for wait in waits if wait.kind == kind] for kind in KINDS}
    states = {kind: Counter(wait.state for wait in by_kind[kind]) for kind in KINDS}
    every_state = [*RIGHT.values(), *sorted({wait.state for wait in waits} - {*RIGHT.values()})]
    rows = [
        ["jobs", *(str(EXPECTED[kind]) for kind in KINDS)],
        *(
            [f"tasks in the end: {state}", *(str(states[kind][state]) for kind in KINDS)]
            for state in every_state
        ),
        ["tasks that needed another try", *_count(by_kind, lambda wait: wait.tries > 1)],
        [
            "tasks that do not tell the truth about their job",
            *_count(by_kind, lambda wait: wait.lie),
        ],
        ["jobs that nobody waited for, at any time", *(str(len(seen.abandoned[k])) for k in KINDS)],
        ["jobs that were started twice", "", str(seen.fleet.surplus)],
        ["waits that a triggerer was to end, and another one had taken over", str(taken_over), ""],
        [
            "longest time between a job's end and its task's, seconds",
            *(f"{max((w.delay for w in by_kind[kind]), default=0):.0f}" for kind in KINDS),
        ],
    ]
    total = f"All of it took {emulator.logins} logins and {len(emulator.statements)} statements."
    return f"{table(['', *KINDS.values()], rows)}\n\n{total}"


def _count(
    by_kind: Mapping[str, Sequence[Wait]], is_counted: Callable[[Wait], object]
) -> list[str]:
    return [str(sum(bool(is_counted(wait)) for wait in waits)) for waits in by_kind.values()]
