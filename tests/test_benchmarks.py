"""What the benchmarks decide and write: they measure by themselves."""

from contextlib import closing
from dataclasses import replace

import pytest

from benchmarks.flatness import Sample, criteria
from benchmarks.meter import Meter
from benchmarks.results import merged

HEAD = "# Benchmarks\n\nOne run."
RESULTS = f"{HEAD}\n\n## Waiting\n\nfast\n\n### In short\n\nyes\n\n## Soak\n\nflat\n"

SECONDS = 600.0
FLAT = [
    Sample(
        seconds=seconds,
        done=5 * seconds,
        triggers=500,
        resident=270_000_000,
        blocks=1_000_000,
        threads=10,
        descriptors=9,
        tasks=5,
        sessions=1,
        late=3.0,
    )
    for seconds in range(0, 600, 5)
]


def test_a_section_replaces_its_own_and_no_other():
    """What one command measures does not disturb the results of the other."""
    once = merged(RESULTS, ["## Waiting\n\nslow"])
    assert once == RESULTS.replace("fast\n\n### In short\n\nyes", "slow")
    assert merged(once, ["## Waiting\n\nslow"], head=HEAD) == once
    assert merged(HEAD, ["## Waiting\n\nfast\n\n### In short\n\nyes", "## Soak\n\nflat"]) == RESULTS


def test_what_does_not_grow_is_flat():
    """A process that takes up what it did is flat, whatever it was before it had warmed up."""
    warming = [replace(sample, resident=1, blocks=1, threads=2) for sample in FLAT[:24]]
    assert all(one.is_met for one in criteria([*warming, *FLAT[24:]], until=SECONDS))


@pytest.mark.parametrize(
    ("field", "times"),
    [("resident", 4_000), ("blocks", 3), ("threads", 0.01), ("descriptors", 0.01), ("tasks", 0.01)],
)
def test_what_each_job_leaves_behind_is_told(field, times):
    """Whatever grows by a little with each job is not flat."""
    growing = [replace(one, **{field: int(getattr(one, field) + times * one.done)}) for one in FLAT]
    assert not all(one.is_met for one in criteria(growing, until=SECONDS))


def test_a_round_has_what_the_server_counts(cortex_emulator):
    """A round has the logins, statements and looks of its time, whatever else the server counts."""
    import snowflake.connector

    job = cortex_emulator.jobs.add(model="DB.S.MODEL")
    where = f"{cortex_emulator.protocol}://{cortex_emulator.host}:{cortex_emulator.port}"
    meter = Meter(f"{where}/emulator")
    meter.start()
    with closing(snowflake.connector.connect(**cortex_emulator.connect_arguments)) as session:
        session.cursor().execute("SELECT SNOWFLAKE.CORTEX.FINETUNE('DESCRIBE', %s)", (job.id,))
    meter.stop()
    round_ = meter.round()
    assert (round_.logins, round_.statements, round_.looks) == (1, 1, 1)
    assert 0 < round_.statement_seconds < round_.seconds
