"""The table of the waiting tasks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from airflow_provider_cortex.emulator import Emulator
from cluster.planned_jobs import EXISTING_JOBS, STARTED_JOBS
from cluster.waiting_tasks import (
    DEFERRED,
    EXPECTED_STATES,
    MODES,
    RESCHEDULED,
    TaskResult,
    WaitingTasks,
)
from tools.output import markdown_table

JOBS = {DEFERRED: EXISTING_JOBS, RESCHEDULED: STARTED_JOBS}


def waiting_tasks_table(
    results: Sequence[TaskResult], waiting: WaitingTasks, adopted: int, emulator: Emulator
) -> str:
    """
    Return the results of the waiting tasks as Markdown.

    :param adopted: how many waits a triggerer did not cancel, since another had adopted them.
    """
    by_mode = {mode: [result for result in results if result.task_id == mode] for mode in MODES}
    states = {mode: Counter(result.state for result in by_mode[mode]) for mode in MODES}
    expected = [*EXPECTED_STATES.values()]
    unexpected = sorted({result.state for result in results} - {*expected})
    rows = [
        ["jobs", *(str(JOBS[mode]) for mode in MODES)],
        *(
            [f"tasks that ended as: {state}", *(str(states[mode][state]) for mode in MODES)]
            for state in [*expected, *unexpected]
        ),
        ["tasks that needed another try", *_count(by_mode, lambda result: result.tries > 1)],
        [
            "tasks whose outcome contradicts their job's",
            *_count(by_mode, lambda result: result.contradiction),
        ],
        [
            "jobs that ran without a waiting task, at any time",
            *(str(len(waiting.abandoned[mode])) for mode in MODES),
        ],
        ["jobs that were started twice", "", str(waiting.jobs.duplicates)],
        ["waits that a triggerer did not cancel, since another had adopted them", str(adopted), ""],
        [
            "longest time from a job's end to its task's end, seconds",
            *(f"{max((r.delay for r in by_mode[mode]), default=0):.0f}" for mode in MODES),
        ],
    ]
    total = f"Total: {emulator.logins} logins and {len(emulator.statements)} statements."
    return f"{markdown_table(['', *MODES.values()], rows)}\n\n{total}"


def _count(
    by_mode: Mapping[str, Sequence[TaskResult]], is_counted: Callable[[TaskResult], object]
) -> list[str]:
    return [
        str(sum(bool(is_counted(result)) for result in results)) for results in by_mode.values()
    ]
