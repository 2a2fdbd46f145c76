"""Which jobs share a statement."""

from airflow_provider_cortex.cortex.describe_batches import DescribeBatches

TEN = [f"ft_{number}" for number in range(10)]


def sizes(batching: DescribeBatches, job_ids: list[str] = TEN) -> list[int]:
    """Return how many jobs each statement would be for."""
    return [len(batch) for batch in batching.divide(job_ids)]


def test_every_job_once() -> None:
    """Every job is in one statement, none of which is larger than allowed."""
    batching = DescribeBatches(4)
    assert sizes(batching) == [4, 4, 2]
    assert [job_id for batch in batching.divide(TEN) for job_id in batch] == TEN
    assert batching.divide([]) == []


def test_jobs_that_went_unanswered_have_less_company() -> None:
    """A statement that nobody answered is divided in four the next time, and comes after all others."""
    batching = DescribeBatches(8)
    batching.unanswered(TEN[:8])
    assert sizes(batching) == [2, 2, 2, 2, 2]
    assert batching.divide(TEN)[0] == TEN[8:]
    batching.unanswered(TEN[2:4])
    assert batching.divide(TEN)[-2:] == [[TEN[2]], [TEN[3]]]
    assert sizes(batching) == [2, 2, 2, 2, 1, 1]


def test_an_answer_clears_of_suspicion() -> None:
    """Jobs that were answered travel together again."""
    batching = DescribeBatches(8)
    batching.unanswered(TEN[:8])
    batching.answered(TEN[:8])
    assert sizes(batching) == [8, 2]


def test_a_limit_is_believed_the_second_time() -> None:
    """That fewer jobs at once are answered makes a rule only when it has been seen twice."""
    batching = DescribeBatches(8)
    assert not batching.too_many(enough=2)
    assert sizes(batching) == [8, 2]
    assert batching.too_many(enough=2)
    assert sizes(batching) == [2, 2, 2, 2, 2]
    assert not batching.too_many(enough=2)


def test_a_limit_may_have_passed() -> None:
    """A larger statement that is answered in between takes the doubt away."""
    batching = DescribeBatches(8)
    batching.too_many(enough=4)
    batching.answered(TEN[:8])
    assert not batching.too_many(enough=4)
    assert batching.size == 8


def test_a_small_statement_clears_of_no_doubt() -> None:
    """That no more than the doubted number are answered together says nothing against the doubt."""
    batching = DescribeBatches(8)
    batching.too_many(enough=4)
    batching.answered(TEN[:4])
    assert batching.too_many(enough=4)


def test_the_least_number_counts() -> None:
    """Of several doubts the one about fewer jobs counts: the others follow from it."""
    batching = DescribeBatches(8)
    for enough in (1, 2, 4):
        assert not batching.too_many(enough=enough)
    assert batching.too_many(enough=1)
    assert batching.size == 1
