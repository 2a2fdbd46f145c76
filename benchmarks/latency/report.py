"""The section about the time between the end of a job and the next task."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from statistics import median, quantiles

from airflow_provider_cortex.emulator import Emulator
from benchmarks import machine
from benchmarks.emulator_process import LOGIN_DELAY, STATEMENT_DELAY
from benchmarks.latency.deployment import TASKS, LatencyDeployment
from benchmarks.latency.moments import Moments
from benchmarks.latency.plan import CONTENDERS, DEFERRED, FULL, Size, plan
from benchmarks.latency.runs import measure
from tools.output import markdown_table

MARGIN = 240.0
"""Seconds in which Airflow must start, and finish the last run after its job."""

ALLOWED = 0.3
"""Seconds that a resumed sensor may take longer than an empty operator."""

TEXT = f"""\
## From the end of a job to the next task

A real Airflow with LocalExecutor ({TASKS} tasks at the same time) and PostgreSQL. In a run a task
waits for a job, and another task follows it. {{jobs}} jobs for each way to wait, all side by side.
A job takes {{shortest:.0f}} to {{longest:.0f}} s; the ends fall evenly on all seconds of a minute. The emulator
delays a login by {1000 * LOGIN_DELAY:.0f} ms and a statement by {1000 * STATEMENT_DELAY:.0f} ms. **Empty operator**: it resumes at the
end of the job, by Airflow's own `DateTimeTrigger`, and does nothing.

Each cell has the median and the 90th percentile of the seconds since the moment to its left.
**Poll**: Snowflake executes the poll that sees the end. **Event**: the trigger's event is in
Airflow's database. **Resume**: the task's new process reaches its first line that is not
Airflow's. **Done**: the task has ended. **Next**: the first line of the next task. A task that
polls on a worker has no event, and has begun before its poll."""

STEPS = """\
### After the event

The same for each step. **Queued**: the scheduler passes the task to the executor. **Executed**:
the sensor has read the event, and pushed its XComs. **Scheduled**: the scheduler has seen that the
next task is due. **Started**: that one's process reports to Airflow. **Modules**: how many the
resumed process loads between resume and executed. **Driver**: whether it has Snowflake's."""

FIXED = ("deferrable_fixed", "reschedule_fixed", "poke_fixed", "sql_sensor")
"""The contenders with the same interval."""

WAIT_PATH = ("job_ended", "polled", "scheduled", "resumed", "done", "next_began")
"""The moments of the first table, for a sensor that is deferred."""

STEP_PATH = (
    *("scheduled", "queued", "resumed", "executed", "done"),
    *("next_scheduled", "next_queued", "next_started", "next_began"),
)
"""Those of the second table."""


def report(size: Size = FULL) -> str:
    """Measure, and return the results as Markdown."""
    runs = plan(size)
    emulator = Emulator(login_delay=LOGIN_DELAY, statement_delay=STATEMENT_DELAY)
    timeout = max(run.ends_at for run in runs) + MARGIN
    deployment = LatencyDeployment(emulator, timeout=timeout)
    try:
        deployment.start()
        moments = measure(deployment, runs)
    finally:
        deployment.stop()
    return describe(moments, size)


def describe(moments: Sequence[Moments], size: Size) -> str:
    """Return the section as Markdown."""
    by = {name: [one for one in moments if one.contender == name] for name in size.contenders}
    text = TEXT.format(jobs=size.jobs, shortest=size.shortest, longest=size.longest)
    return "\n\n".join([text, machine.description(), _waits(by), STEPS, _steps(by), *_in_short(by)])


def _waits(by: Mapping[str, Sequence[Moments]]) -> str:
    heads = ("", "poll", "event", "resume", "done", "next", "end to next")
    rows = []
    for name, all_ in by.items():
        missing = set() if name in DEFERRED else {"scheduled", "resumed"}
        missing |= {"polled"} if name == "empty" else set()
        path = [None if moment in missing else moment for moment in WAIT_PATH]
        rows.append([CONTENDERS[name], *_cells(all_, path), *_cells(all_, (path[0], path[-1]))])
    return markdown_table(heads, rows)


def _steps(by: Mapping[str, Sequence[Moments]]) -> str:
    heads = (
        *("", "queued", "resume", "executed", "done"),
        *("scheduled", "queued", "started", "next", "modules", "driver"),
    )
    rows = [
        [
            CONTENDERS[name],
            *_cells(all_, STEP_PATH),
            f"{median(one.modules for one in all_):.0f}",
            "yes" if any(one.has_driver for one in all_) else "no",
        ]
        for name, all_ in by.items()
        if name in DEFERRED
    ]
    return markdown_table(heads, rows)


def _in_short(by: Mapping[str, Sequence[Moments]]) -> Iterator[str]:
    """Yield the ratios, if all of their contenders are there."""
    if not {*FIXED, "empty"} <= by.keys():
        return
    ours, empty = by[FIXED[0]], by["empty"]
    own, with_start = (
        _median(ours, begin, "done") - _median(empty, begin, "done")
        for begin in ("resumed", "queued")
    )
    share = own / _median(ours, "polled", "next_began")
    yield "### In short"
    yield (
        f"A resumed sensor takes {own:.2f} s longer than an empty operator (allowed: {ALLOWED} s). "
        f"That is {share:.0%} of the\ntime from its poll to the next task. With the start of its "
        f"process, in which Airflow renders and\nstores its arguments, it takes {with_start:.2f} s "
        "longer. Relative to deferrable waits:"
    )
    rows = [[CONTENDERS[name], *_ratios(by[name], ours)] for name in FIXED]
    yield markdown_table(("medians", "poll to next", "end to next"), rows)


def _ratios(all_: Sequence[Moments], ours: Sequence[Moments]) -> Iterator[str]:
    for begin in "polled", "job_ended":
        ratio = _median(all_, begin, "next_began") / _median(ours, begin, "next_began")
        yield f"{ratio:.2f}"


def _cells(all_: Sequence[Moments], path: Sequence[str | None]) -> Iterator[str]:
    """Yield a cell for each moment but the first; None is a moment that these runs do not have."""
    earlier, *others = path
    for later in others:
        if earlier is None or later is None:
            yield "-"
            continue
        seconds = _seconds(all_, earlier, later)
        p90 = quantiles(seconds, n=10, method="inclusive")[-1]
        yield f"{median(seconds):.2f} / {p90:.2f}"
        earlier = later


def _median(all_: Sequence[Moments], earlier: str, later: str) -> float:
    return median(_seconds(all_, earlier, later))


def _seconds(all_: Sequence[Moments], earlier: str, later: str) -> list[float]:
    return [getattr(one, later) - getattr(one, earlier) for one in all_]
