"""What the benchmarks decide and write, without measuring anything."""

from contextlib import closing
from dataclasses import replace

import pytest

from benchmarks.results import merged
from benchmarks.soak.growth import Sample, criteria
from benchmarks.waiting.meter import Meter

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
