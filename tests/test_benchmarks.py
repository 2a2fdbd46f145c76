"""What the benchmarks decide and write, without measuring anything."""

import re
from contextlib import closing
from dataclasses import replace
from itertools import pairwise

import pytest

from airflow_provider_cortex.emulator import Life
from benchmarks import week
from benchmarks.latency import report as latency
from benchmarks.latency.moments import Moments
from benchmarks.latency.plan import FULL as LATENCY
from benchmarks.latency.plan import plan
from benchmarks.policy import AUTO_SUSPEND, STATEMENT, seconds_awake
from benchmarks.results import merged
from benchmarks.soak.growth import Sample, criteria
from benchmarks.waiting.meter import Meter
from tests.tasks import sensor

HEAD = "# Benchmarks\n\nOne run."
RESULTS = f"{HEAD}\n\n## Waiting\n\nfast\n\n### In short\n\nyes\n\n## Soak\n\nflat\n"

SECONDS = 600.0
FLAT = [
    Sample(
        seconds=seconds,
        finished=5 * seconds,
        triggers=500,
        resident=270_000_000,
        blocks=1_000_000,
        threads=10,
        descriptors=9,
        tasks=5,
        sessions=1,
        lag=3.0,
    )
    for seconds in range(0, 600, 5)
]


def test_a_section_replaces_only_the_section_with_its_title():
    """One command's results do not change the other command's sections."""
    once = merged(RESULTS, ["## Waiting\n\nslow"])
    assert once == RESULTS.replace("fast\n\n### In short\n\nyes", "slow")
    assert merged(once, ["## Waiting\n\nslow"], head=HEAD) == once
    assert merged(HEAD, ["## Waiting\n\nfast\n\n### In short\n\nyes", "## Soak\n\nflat"]) == RESULTS


def test_a_process_that_only_grows_while_it_warms_up_is_flat():
    """Growth in the first fifth of the time does not count."""
    warming = [replace(sample, resident=1, blocks=1, threads=2) for sample in FLAT[:24]]
    assert all(one.is_met for one in criteria([*warming, *FLAT[24:]], until=SECONDS))


@pytest.mark.parametrize(
    ("field", "times"),
    [("resident", 4_000), ("blocks", 3), ("threads", 0.01), ("descriptors", 0.01), ("tasks", 0.01)],
)
def test_a_process_that_grows_with_each_job_is_not_flat(field, times):
    """A little growth per finished job is reported."""
    growing = [
        replace(one, **{field: int(getattr(one, field) + times * one.finished)}) for one in FLAT
    ]
    assert not all(one.is_met for one in criteria(growing, until=SECONDS))


def test_a_round_has_the_counts_of_the_server(cortex_emulator):
    """A round has the logins, statements and polls between its start and its end."""
    import snowflake.connector

    job = cortex_emulator.jobs.add(model="DB.S.MODEL")
    meter = Meter(f"{cortex_emulator.url}/emulator")
    meter.start()
    with closing(snowflake.connector.connect(**cortex_emulator.connect_arguments)) as session:
        session.cursor().execute("SELECT SNOWFLAKE.CORTEX.FINETUNE('DESCRIBE', %s)", (job.id,))
    meter.stop()
    round_ = meter.round()
    assert (round_.logins, round_.statements, round_.polls) == (1, 1, 1)
    assert 0 < round_.statement_seconds < round_.seconds


# --- A week of a platform team -----------------------------------------------------------------


def test_a_week_has_the_jobs_of_its_dags():
    """40 weekly and 5 daily DAGs make 75 jobs. Two daily jobs of a DAG never overlap."""
    (jobs_of_connections,) = week.make_weeks(1)
    assert len(jobs_of_connections) == week.CONNECTIONS
    assert sum(map(len, jobs_of_connections)) == week.JOBS == 75
    jobs = [job for jobs in jobs_of_connections for job in jobs]
    assert all(600 <= job.ends <= 3 * 3600 for job in jobs)
    assert all(0 <= (job.created - week.MONDAY) % 86_400 < 6 * 3600 for job in jobs)
    assert {int(job.created - week.MONDAY) // 86_400 for job in jobs} == set(range(7))


def test_polls_that_are_due_together_count_as_one_statement():
    """A triggerer gathers them for a twentieth of a second."""
    assert week.shared_statements([120.0, 60.0, 60.01, 180.0, 120.0, 120.2]) == 4


def test_waits_that_overlap_count_one_login():
    """The session is closed with the last wait, so a later wait logs in again."""
    assert week.shared_sessions([(300, 400), (0, 100), (50, 60), (90, 200)]) == 2


def test_polls_that_overlap_keep_a_warehouse_awake_once():
    """It suspends itself a minute after the last statement."""
    awake = STATEMENT + AUTO_SUSPEND
    assert seconds_awake([30.0, 0.0, 30.0]) == 30 + awake
    assert seconds_awake([0.0, 1000.0]) == 2 * awake


def test_a_statement_that_waits_keeps_the_warehouse_awake_to_the_end():
    """SnowflakeSqlApiOperator sends one statement, which runs for as long as the job."""
    ((job, *_), *_), *_ = week.make_weeks(1)
    cost = week.poll_in_one_statement([job])
    assert (cost.statements, cost.logins) == (1, 0)
    assert job.ends < cost.awake - AUTO_SUSPEND < job.ends + week.INTERVAL + 2 * STATEMENT


def test_a_wait_counts_the_logins_that_it_needs(cortex_emulator, connection, worker):
    """One on the worker and one in the triggerer; the resumed task sends nothing."""
    job = cortex_emulator.jobs.add(model="m", life=Life.by_looks(4))
    assert worker.run(lambda: sensor(job.id, deferrable=True)).deferrals == 1
    assert len(cortex_emulator.statements) == cortex_emulator.jobs.looks
    ((simulated, *_), *_), *_ = week.make_weeks(1)
    assert cortex_emulator.logins == week.poll_with_package([simulated]).logins == 2


# --- From a job's end to the next task ----------------------------------------------------------


def test_the_jobs_of_each_contender_end_evenly_on_all_seconds_of_a_minute():
    """No way to wait is lucky with when its jobs end, and no two jobs end at the same time."""
    runs = plan(LATENCY)
    for contender in LATENCY.contenders:
        ends = sorted(run.ends_at % 60 for run in runs if run.contender == contender)
        assert len(ends) == LATENCY.jobs
        assert [later - earlier for earlier, later in pairwise(ends)] == [pytest.approx(3)] * 19
    ends = sorted(run.ends_at for run in runs)
    assert min(later - earlier for earlier, later in pairwise(ends)) > 3


MOMENTS = Moments(
    contender="",
    job_ended=100,
    polled=110,
    scheduled=111,
    queued=112,
    resumed=113,
    executed=114,
    done=116,
    next_scheduled=117,
    next_queued=118,
    next_started=119,
    next_began=120,
    modules=5,
    has_driver=False,
)


@pytest.mark.parametrize(
    ("contender", "seconds"),
    [
        ("deferrable, 30 s", ["10.00", "1.00", "2.00", "3.00", "4.00", "20.00"]),
        # It polls on a worker, and has no event: it is done so long after its poll.
        ("poke, 30 s", ["10.00", "-", "-", "6.00", "4.00", "20.00"]),
        ("empty operator", ["-", "11.00", "2.00", "1.00", "6.00", "20.00"]),
    ],
)
def test_a_cell_has_the_seconds_since_the_moment_to_its_left(contender, seconds):
    """The sum of a row is the whole time; a moment that a wait does not have is left out."""
    by = dict.fromkeys(LATENCY.contenders, MOMENTS)
    by["empty"] = replace(MOMENTS, polled=None, queued=112.5, executed=113, done=114)
    runs = [replace(one, contender=name) for name, one in by.items() for _ in range(2)]
    section = latency.describe(runs, LATENCY)
    row = next(line for line in section.splitlines() if line.startswith(f"| {contender} "))
    assert re.findall(r"[\d.]+(?= /)|-(?= )", row) == seconds
    assert "takes 2.00 s longer than an empty operator" in section
    assert "it takes 2.50 s longer" in section.replace("\n", " ")
