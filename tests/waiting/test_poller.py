"""When to look again, and when to stop."""

import json
import math
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_cortex.cortex.job import FineTuneJob
from airflow_provider_cortex.errors import (
    ContactLostError,
    FineTuneStalledError,
    FineTuneTimeoutError,
    RejectedError,
    UnreachableError,
    UnreadableAnswerError,
)
from airflow_provider_cortex.waiting.policy import DEFAULT_MAX_INTERVAL, PollPolicy
from airflow_provider_cortex.waiting.poller import LastChange, Outage, Poller
from tests.clock import Clock

TROUBLE = UnreachableError("503")

CREATED = 1.8e9
"""When the jobs were created, epoch seconds: a round moment."""

FREE = PollPolicy()
"""No grid: what each gap is by itself."""

GRID = PollPolicy(offset=0.0)


def job(**fields: Any) -> FineTuneJob:
    """Return a job that runs."""
    return FineTuneJob.parse({"id": "ft_1", "status": "IN_PROGRESS", "progress": 0.5} | fields)


def waiting(clock: Clock, policy: PollPolicy, **fields: Any) -> Poller:
    """Begin a wait that may last forever."""
    return Poller(
        job_id="ft_1",
        started_at=clock.now,
        deadline=math.inf,
        policy=policy,
        clock=clock.time,
        **fields,
    )


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
    with pytest.raises(FineTuneTimeoutError, match="fine-tuning job ft_1 ") as error:
        poller.observe(job())
    assert error.value.waited == 3600.0
    assert error.value.last_seen == "IN_PROGRESS 50 %"


@pytest.mark.parametrize("offset", [None, 0.0, 7.5])
def test_no_busy_loop(clock: Clock, offset: float | None) -> None:
    """An interval of 0, which Airflow allows, does not make a triggerer spin."""
    poller = waiting(clock, PollPolicy(interval=0.0, offset=offset))
    clock.now += poller.first_delay()
    for _ in range(3):
        delay = poller.observe(job())
        assert delay == 1.0
        clock.now += delay


@pytest.mark.parametrize("trouble", [TROUBLE, UnreadableAnswerError("which is not JSON", "<")])
def test_trouble_is_borne(poller: Poller, clock: Clock, trouble: Exception) -> None:
    """Trouble shorter than the contact budget keeps the wait going, however long the interval."""
    clock.now += 1800.0
    assert poller.miss(trouble) == 60.0  # type: ignore[arg-type]
    clock.now += 100.0
    assert poller.miss(trouble) == 120.0  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("policy", "pauses"),
    [
        (FREE, [60, 120, 240, 300, 300]),
        (PollPolicy(longest=100.0), [60, 100, 100]),
        (PollPolicy(interval=10.0), [10, 20, 40, 80, 160, 300, 300]),
        (PollPolicy(interval=900.0), [900, 900]),
        (GRID, [60, 120, 240, 300, 300]),
        (PollPolicy(interval=10.0, offset=0.0), [10, 20, 40, 80, 160, 300, 300]),
    ],
)
def test_pauses_grow(policy: PollPolicy, pauses: list[float]) -> None:
    """Each pause of an outage is twice as long as the one before, up to the longest; contact ends that."""
    clock = Clock(CREATED)
    poller = waiting(clock, policy, contact_timeout=math.inf)
    for _ in range(2):
        for pause in pauses:
            assert poller.miss(TROUBLE) == pause
            clock.now += pause
        poller.observe(job())


def test_an_endless_outage_is_no_problem_of_arithmetic(clock: Clock) -> None:
    """However many looks go wrong, the pause stays what it is at the most."""
    poller = waiting(clock, FREE, contact_timeout=math.inf)
    assert {poller.miss(TROUBLE) for _ in range(5000)} == {60, 120, 240, 300}


def test_contact_lost(poller: Poller, clock: Clock) -> None:
    """Trouble longer than the budget ends the wait, telling the reason and the last known state."""
    poller.observe(job())
    poller.miss(TROUBLE)
    clock.now += 300.0
    with pytest.raises(ContactLostError, match="fine-tuning job ft_1:") as error:
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


def test_a_restart_does_not_renew_the_budget(clock: Clock) -> None:
    """Trouble that an earlier process has noted counts from where it began."""
    first = waiting(clock, FREE, contact_timeout=900.0)
    began = clock.now
    clock.now += first.miss(TROUBLE)
    first.miss(TROUBLE)
    assert first.outage is not None
    noted = json.loads(json.dumps(first.outage.to_dict()))

    clock.now += 400.0
    second = waiting(clock, FREE, contact_timeout=900.0)
    second.take_over(Outage.read(noted))
    clock.now += second.miss(TROUBLE)
    clock.now = began + 900.0
    with pytest.raises(ContactLostError) as error:
        second.miss(TROUBLE)
    assert error.value.waited == 900.0


def test_a_poller_is_new_until_it_has_looked(clock: Clock) -> None:
    """A process that has looked at the job, whatever came of it, needs nobody's notes."""
    pollers = [waiting(clock, FREE) for _ in range(3)]
    pollers[1].miss(TROUBLE)
    pollers[2].observe(job())
    assert [poller.is_new for poller in pollers] == [True, False, False]


def test_an_old_note_does_not_count(clock: Clock) -> None:
    """A note so old that there must have been contact since, or one of another clock, is left alone."""
    now = clock.now
    for since, until in (now - 9000, now - 901), (now + 1, now + 1):
        poller = waiting(clock, FREE, contact_timeout=300.0)
        poller.take_over(Outage(since=since, until=until))
        assert poller.miss(TROUBLE) == 60.0
    poller = waiting(clock, FREE, contact_timeout=300.0)
    poller.take_over(Outage(since=now - 9000, until=now - 900))
    with pytest.raises(ContactLostError):
        poller.miss(TROUBLE)


@pytest.mark.parametrize(
    "noted", [None, {}, [], "since", {"since": 1.0}, {"since": "1", "until": 2}, {"until": 2.0}]
)
def test_a_note_of_somebody_else(noted: object) -> None:
    """What this package did not write is no note."""
    assert Outage.read(noted) is None


def test_trouble_at_the_deadline(poller: Poller, clock: Clock) -> None:
    """Trouble does not outlive the deadline."""
    clock.now = 4400.0
    poller.observe(job())
    clock.now = 4601.0
    with pytest.raises(FineTuneTimeoutError):
        poller.miss(TROUBLE)


def test_a_job_that_stands_still(clock: Clock) -> None:
    """No change for stall_timeout ends the wait, telling since when, how long, and where the job stands."""
    poller = waiting(clock, PollPolicy(interval=60.0), stall_timeout=150.0)
    poller.observe(job(progress=0.3))
    clock.now += 100.0
    poller.observe(job(progress=0.4))
    clock.now += 149.0
    poller.observe(job(progress=0.4))
    clock.now += 1.0
    with pytest.raises(FineTuneStalledError, match="Fine-tuning job ft_1 ") as error:
        poller.observe(job(progress=0.4))
    assert error.value.waited == 150.0
    assert error.value.since == "1970-01-01T00:18:20+00:00"
    assert error.value.last_seen == "IN_PROGRESS 40 %"
    assert "may still be running" in str(error.value)
    assert "FINETUNE('CANCEL', 'ft_1')" in str(error.value)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"status": "PENDING", "progress": None}, {"status": "IN_PROGRESS", "progress": None}),
        ({"progress": None}, {"progress": 0.0}),
        ({"progress": 0.333}, {"progress": 0.3331}),
        ({"progress": 0.9}, {"progress": 0.1}),
        ({"status": "PAUSED"}, {"status": "QUEUED"}),
    ],
)
def test_what_is_a_change(before: dict[str, Any], after: dict[str, Any], clock: Clock) -> None:
    """Another status, also of those that we do not know, and any other progress begin the time anew."""
    poller = waiting(clock, PollPolicy(interval=60.0), stall_timeout=100.0)
    poller.observe(job(**before))
    clock.now += 100.0
    assert poller.observe(job(**after)) == 60.0
    clock.now += 100.0
    with pytest.raises(FineTuneStalledError):
        poller.observe(job(**after))


@pytest.mark.parametrize("status", ["PENDING", "in_progress", "PAUSED"])
def test_what_is_no_change(status: str, clock: Clock) -> None:
    """A job that waits its turn stands still, too, and so does one with a status in other letters."""
    poller = waiting(clock, PollPolicy(interval=60.0), stall_timeout=100.0)
    poller.observe(job(status=status.upper(), progress=None))
    clock.now += 100.0
    with pytest.raises(FineTuneStalledError):
        poller.observe(job(status=status, progress=None))


@pytest.mark.parametrize("policy", [FREE, GRID, PollPolicy(interval=900.0, offset=3.0)])
def test_the_last_look_is_when_the_job_has_stood_still(policy: PollPolicy, clock: Clock) -> None:
    """The last sleep ends when stall_timeout does, however long the interval; and a deadline comes first."""
    poller = waiting(clock, policy, stall_timeout=130.0)
    delay = poller.observe(job())
    while clock.now < 1130.0:
        assert delay is not None
        assert poller.left == 1130.0 - clock.now >= delay
        clock.now += delay
        if clock.now < 1130.0:
            delay = poller.observe(job())
    assert clock.now == 1130.0
    with pytest.raises(FineTuneStalledError):
        poller.observe(job())
    poller.deadline = 1130.0
    with pytest.raises(FineTuneTimeoutError):
        poller.observe(job())


def test_a_job_that_is_over_does_not_stand_still(clock: Clock) -> None:
    """The end of a job is its end, however long nothing had changed before."""
    poller = waiting(clock, FREE, stall_timeout=100.0)
    poller.observe(job())
    clock.now += 900.0
    assert poller.observe(job(status="SUCCESS", progress=0.5)) is None


def test_trouble_tells_nothing_of_a_stall(clock: Clock) -> None:
    """Who cannot see the job does not say that it stands still, and does not look more often for it."""
    poller = waiting(clock, PollPolicy(interval=60.0), stall_timeout=100.0)
    poller.observe(job())
    clock.now += 60.0
    assert poller.miss(TROUBLE) == 60.0
    assert poller.left == math.inf
    clock.now += 60.0
    assert poller.miss(TROUBLE) == 120.0
    clock.now += 120.0
    with pytest.raises(FineTuneStalledError) as error:  # at both ends of the trouble it stood there
        poller.observe(job())
    assert error.value.waited == 240.0


def test_a_restart_does_not_renew_the_stall(clock: Clock) -> None:
    """Where an earlier process saw the job stand counts from when it did."""
    first = waiting(clock, FREE, stall_timeout=500.0)
    first.observe(job())
    assert first.standing is not None
    noted = json.loads(json.dumps(first.standing.to_dict()))
    clock.now += 450.0
    second = Poller(
        job_id="ft_1",
        started_at=1000.0,
        deadline=math.inf,
        policy=FREE,
        clock=clock.time,
        stall_timeout=500.0,
    )
    second.resume(LastChange.read(noted))
    assert second.first_delay() == 50.0
    clock.now += 50.0
    with pytest.raises(FineTuneStalledError) as error:
        second.observe(job())
    assert error.value.waited == 500.0


def test_the_newest_note_counts(clock: Clock) -> None:
    """A note of an earlier try, of another clock, or older than what is known, is left alone."""
    poller = waiting(clock, FREE, stall_timeout=500.0)
    clock.now += 100.0
    for since in (1000.0, 1050.0, 1020.0, 999.0, 1101.0, math.nan):
        poller.resume(LastChange(status="PENDING", progress=None, since=since))
    poller.resume(None)
    assert poller.standing == LastChange(status="PENDING", progress=None, since=1050.0)


@pytest.mark.parametrize(
    "noted",
    [
        None,
        {},
        "PENDING",
        {"status": "PENDING", "since": 1.0},
        {"status": "PENDING", "progress": "half", "since": 1.0},
        {"status": None, "progress": None, "since": 1.0},
        {"status": "PENDING", "progress": None, "since": "1"},
    ],
)
def test_a_standing_of_somebody_else(noted: object) -> None:
    """What this package did not write says nothing of where a job stands."""
    assert LastChange.read(noted) is None


def test_refusal_is_not_borne(poller: Poller) -> None:
    """What would be refused again ends the wait at once."""
    with pytest.raises(RejectedError, match=r"^no privilege$"):
        poller.miss(RejectedError("no privilege"))


def test_a_job_that_vanishes(poller: Poller) -> None:
    """A job that was seen and is refused from then on is told with its last known state."""
    poller.observe(job())
    with pytest.raises(RejectedError, match=r"does not exist.*ft_1: IN_PROGRESS 50 %"):
        poller.miss(RejectedError("it does not exist."))


def test_a_fixed_interval_does_not_drift(clock: Clock) -> None:
    """On the grid looks are an interval apart, however long each takes: half of it at the most."""
    poller = waiting(clock, PollPolicy(interval=45.0, offset=3.0))
    delay: float | None = poller.first_delay()
    moments = []
    for seconds in (0.5, 2.0, 20.0, 1.0, 22.0, 1.0):
        assert delay is not None
        clock.now += delay
        moments.append(clock.now)
        clock.now += seconds
        delay = poller.observe(job())
    assert moments[0] <= 1000 + 45
    assert {moment % 45 for moment in moments} == {3.0}
    assert {later - sooner for sooner, later in pairwise(moments)} == {45.0}


@pytest.mark.parametrize("seconds", [23.0, 30.0, 44.0, 44.999, 45.0, 100.0])
def test_a_slow_look_is_followed_by_a_pause(seconds: float, clock: Clock) -> None:
    """A look that took more than half of a fixed interval is not followed by the next one at once."""
    poller = waiting(clock, PollPolicy(interval=45.0, offset=3.0))
    clock.now += poller.first_delay() + seconds
    delay = poller.observe(job())
    assert delay is not None
    assert 22.5 <= delay <= 67.5


def test_a_slow_statement_does_not_skip_a_mark(clock: Clock) -> None:
    """The gap counts from when the look was due: else each would be a mark longer."""
    clock.now = CREATED
    poller = waiting(clock, GRID)
    clock.now += poller.first_delay()
    for seconds in (2.0, 0.25, 29.0):
        clock.now += seconds
        assert poller.observe(job(progress=0.9)) == 60 - seconds
        clock.now += 60 - seconds
    clock.now += 45.0  # there must be a pause
    assert poller.observe(job(progress=0.9)) == 75.0


def test_a_restart_keeps_the_rhythm(clock: Clock) -> None:
    """Another process that looks at the same job at the same time goes on at the same moments."""
    clock.now = CREATED
    first = waiting(clock, GRID)
    clock.now += first.first_delay()
    for _ in range(20):
        other = waiting(clock, GRID)
        delay = first.observe(job(progress=0.0, created_on=CREATED * 1000))
        assert delay is not None
        assert other.observe(job(progress=0.0, created_on=CREATED * 1000)) == delay
        clock.now += delay


def test_a_restart_wastes_no_look(clock: Clock) -> None:
    """Who takes over a job that is known to take long looks when its end may come, and not before."""
    policy = PollPolicy(expected_duration=3600.0)
    poller = waiting(clock, policy)
    clock.now += 1800.0
    assert 900 < poller.first_delay() < 1800


@pytest.mark.parametrize("offset", [None, 0.0])
def test_a_first_look_leaves_a_young_job_alone(offset: float | None, clock: Clock) -> None:
    """A first look comes as late as any, if the job is known to take long; grid or no grid."""
    clock.now = CREATED
    poller = waiting(clock, PollPolicy(expected_duration=36000.0, offset=offset))
    assert 120.0 < poller.first_delay() <= 36000.0


def test_a_first_look_keeps_its_distance(clock: Clock) -> None:
    """A first look is not before the soonest moment, however soon the job would have it."""
    assert waiting(clock, FREE).first_delay(soonest=500.0) == 500.0
    assert FREE.first_look(at=clock.now, started_at=clock.now, soonest=500.0) == clock.now + 500.0


def test_a_restart_with_no_expectation_looks_soon(clock: Clock) -> None:
    """Who takes over a job that nothing is known of does not leave it alone for long."""
    poller = waiting(clock, FREE)
    clock.now += 7200.0
    assert poller.first_delay() == 60.0


def test_the_first_look_is_not_after_the_deadline(poller: Poller, clock: Clock) -> None:
    """A first look comes at the deadline if not before, and at once if that has passed."""
    clock.now = 4590.0
    assert poller.first_delay() == 10.0
    clock.now = 4610.0
    assert poller.first_delay() == 0.0


def test_trouble_is_looked_into_soon(clock: Clock) -> None:
    """After a look that failed the next comes soon, however far the end is."""
    poller = waiting(clock, PollPolicy(expected_duration=36000.0))
    clock.now += 3600.0
    assert poller.observe(job(progress=0.1)) == 4 * 3600.0
    assert poller.miss(TROUBLE) == 60.0


moments = st.floats(min_value=0.0, max_value=4e9)


def test_short_bounds_keep_to_the_grid(clock: Clock) -> None:
    """Where the shortest gap is the longest, too, looks come to fall together all the same."""
    poller = waiting(clock, PollPolicy(longest=60.0, offset=0.0))
    delay: float | None = poller.first_delay()
    for _ in range(3):
        assert delay is not None
        clock.now += delay
        assert clock.now % 60 == 0
        delay = poller.observe(job(progress=0.1))
        assert delay == 60.0


@settings(deadline=None)
@given(jumps=st.lists(st.floats(min_value=-7200.0, max_value=7200.0), max_size=20))
def test_a_clock_that_jumps_does_no_harm(jumps: list[float]) -> None:
    """However the clock is set, there is a pause, and it is not too long a one."""
    clock = Clock(CREATED)
    poller = waiting(clock, GRID)
    clock.now += poller.first_delay()
    for jump in jumps:
        clock.now += jump
        delay = poller.observe(job(progress=0.667, created_on=CREATED * 1000))
        assert delay is not None
        assert 30.0 <= delay <= DEFAULT_MAX_INTERVAL + 30.0
        clock.now += delay
