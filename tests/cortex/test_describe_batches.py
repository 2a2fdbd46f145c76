"""Which jobs share a DESCRIBE statement."""

import pytest

from airflow_provider_cortex.cortex.describe_batches import DescribeBatches

TEN = [f"ft_{number}" for number in range(10)]


def sizes(batches: DescribeBatches, job_ids: list[str] = TEN) -> list[int]:
    """Return how many jobs each statement would describe."""
    return [len(batch) for batch in batches.divide(job_ids)]


def test_each_job_is_in_one_batch() -> None:
    """No batch is larger than allowed."""
    batches = DescribeBatches(4)
    assert sizes(batches) == [4, 4, 2]
    assert [job_id for batch in batches.divide(TEN) for job_id in batch] == TEN
    assert batches.divide([]) == []


def test_the_jobs_of_an_unanswered_batch_are_divided_by_four() -> None:
    """They come after all others, and need not stay together."""
    batches = DescribeBatches(8)
    batches.unanswered(TEN[:8])
    assert sizes(batches) == [2, 2, 2, 2, 2]
    assert batches.divide(TEN)[0] == TEN[8:]
    batches.unanswered(TEN[2:4])
    assert batches.divide(TEN)[-2:] == [[TEN[2]], [TEN[3]]]
    assert sizes(batches) == [2, 2, 2, 2, 1, 1]


def test_an_answered_batch_removes_the_limit_of_its_jobs() -> None:
    """They share large batches again."""
    batches = DescribeBatches(8)
    batches.unanswered(TEN[:8])
    batches.answered(TEN[:4])
    assert sizes(batches) == [6, 2, 2]
    batches.answered(TEN[4:8])
    assert sizes(batches) == [8, 2]


@pytest.mark.parametrize(
    ("job_ids", "halves"),
    [
        (TEN[:8], [TEN[:4], TEN[4:8]]),
        (TEN[:3], [TEN[:2], TEN[2:3]]),
        (TEN[:2], [TEN[:1], TEN[1:2]]),
    ],
)
def test_a_rejected_batch_is_divided_by_two(job_ids: list[str], halves: list[list[str]]) -> None:
    """At once, and its jobs share no larger batch until they are answered."""
    batches = DescribeBatches(8)
    assert batches.rejected(job_ids) == halves
    assert batches.divide(job_ids) == halves
    batches.answered(job_ids)
    assert batches.divide(job_ids) == [job_ids]
