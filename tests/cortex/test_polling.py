"""When to look again, and when to stop."""

from typing import Any

import pytest

from airflow_provider_cortex.cortex.job import FineTuneJob
from airflow_provider_cortex.cortex.polling import Poller, PollPolicy
from airflow_provider_cortex.errors import (
    ContactLostError,
    FineTuneTimeoutError,
    RefusedError,
    UnreachableError,
    UnreadableAnswerError,
)
from tests.clock import Clock

TROUBLE = UnreachableError("503")


def job(**fields: Any) -> FineTuneJob:
    """Return a job that runs."""
    return FineTuneJob.parse({"id": "ft_1", "status": "IN_PROGRESS", "progress": 0.5} | fields)


@pytest.fixture
def clock() -> Clock:
    """Begin at 1,000 s after the epoch."""
    return Clock(1000.0)


@pytest.fixture
def poller(clock: Clock) -> Poller:
    """Poll every minute, for at most an hour, bearing five minutes of trouble."""
    return Poller(
        job_id="ft_1",
        started_at=1000.0,
        deadline=4600.0,
        policy=PollPolicy(interval=60.0),
        contact_timeout=300.0,
        clock=clock.time,
    )


def test_running_job_is_looked_at_again(poller: Poller) -> None:
    """A job that runs is looked at after the interval."""
    assert poller.observe(job()) == 60.0


@pytest.mark.parametrize("status", ["SUCCESS", "ERROR", "CANCELLED"])
def test_over_is_over(poller: Poller, clock: Clock, status: str) -> None:
    """A job that is over ends the wait, even after the deadline."""
    clock.now = 9999.0
    assert poller.observe(job(status=status)) is None


def test_last_look_is_at_the_deadline(poller: Poller, clock: Clock) -> None:
    """The last sleep ends at the deadline, and not a minute later."""
    clock.now = 4590.0
    assert poller.observe(job()) == 10.0


def test_deadline(poller: Poller, clock: Clock) -> None:
    """At the deadline the wait ends, telling how long it was and what was last known."""
    clock.now = 4600.0
    with pytest.raises(FineTuneTimeoutError) as error:
        poller.observe(job())
    assert error.value.waited == 3600.0
    assert error.value.last_seen == "IN_PROGRESS 50 %"


def test_no_busy_loop() -> None:
    """An interval of 0, which Airflow allows, does not make a triggerer spin."""
    assert PollPolicy(interval=0.0).delay() == 1.0


@pytest.mark.parametrize("trouble", [TROUBLE, UnreadableAnswerError("which is not JSON", "<")])
def test_trouble_is_borne(poller: Poller, clock: Clock, trouble: Exception) -> None:
    """Trouble shorter than the contact budget keeps the wait going, however long the interval."""
    clock.now += 1800.0
    assert poller.miss(trouble) == 60.0  # type: ignore[arg-type]
    clock.now += 200.0
    assert poller.miss(trouble) == 60.0  # type: ignore[arg-type]


def test_contact_lost(poller: Poller, clock: Clock) -> None:
    """Trouble longer than the budget ends the wait, telling the reason and the last known state."""
    poller.observe(job())
    poller.miss(TROUBLE)
    clock.now += 300.0
    with pytest.raises(ContactLostError) as error:
        poller.miss(TROUBLE)
    assert error.value.waited == 300.0
    assert error.value.last_seen == "IN_PROGRESS 50 %"
    assert error.value.reason == "503"


@pytest.mark.parametrize("budget", [0.1, 0.3, 1 / 3, 899.9999])
def test_the_budget_is_used_up(budget: float) -> None:
    """However the sums are rounded, sleeping as told uses the budget up."""
    clock = Clock(1795350785.031)
    poller = Poller(
        job_id="ft_1",
        started_at=clock.now,
        deadline=clock.now + 1e9,
        policy=PollPolicy(interval=60.0),
        contact_timeout=budget,
        clock=clock.time,
    )

    def sleep_as_told() -> None:
        for _ in range(100):
            clock.now += poller.miss(TROUBLE)

    with pytest.raises(ContactLostError):
        sleep_as_told()


def test_a_good_answer_renews_the_budget(poller: Poller, clock: Clock) -> None:
    """Trouble on end is what counts: a good answer in between begins it anew."""
    poller.miss(TROUBLE)
    clock.now += 299.0
    assert poller.miss(TROUBLE) == 1.0
    poller.observe(job())
    clock.now += 299.0
    assert poller.miss(TROUBLE) == 60.0


def test_trouble_at_the_deadline(poller: Poller, clock: Clock) -> None:
    """Trouble does not outlive the deadline."""
    clock.now = 4400.0
    poller.observe(job())
    clock.now = 4601.0
    with pytest.raises(FineTuneTimeoutError):
        poller.miss(TROUBLE)


def test_refusal_is_not_borne(poller: Poller) -> None:
    """What would be refused again ends the wait at once."""
    with pytest.raises(RefusedError, match="no privilege"):
        poller.miss(RefusedError("no privilege"))
