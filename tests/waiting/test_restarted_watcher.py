"""A watcher in a new triggerer: Airflow 3.3 keeps what it has reported, earlier ones nothing."""

import asyncio
from typing import Any

import pytest

from airflow_provider_cortex.emulator import Emulator, Life
from airflow_provider_cortex.waiting.reported_jobs import ReportedJobs
from tests.watchers import (
    SHOW,
    Job,
    State,
    ids,
    needs_watchers,
    nothing,
    sent,
    watch,
)

pytestmark = [
    needs_watchers,
    pytest.mark.usefixtures("connection"),
]


@pytest.mark.usefixtures("one_trigger")
def test_with_a_store_a_new_triggerer_goes_on_where_the_last_one_was(
    cortex_emulator: Emulator,
) -> None:
    """It fires for what has finished meanwhile, and not again for what was reported."""
    before, meanwhile, after = (Job(cortex_emulator, f"m{number}") for number in range(3))
    state = State()
    assert ids(watch({}, before.succeed, nothing, nothing, state=state)) == [before.id]
    meanwhile.succeed()
    assert ids(watch({}, after.succeed, nothing, nothing, nothing, state=state)) == [
        meanwhile.id,
        after.id,
    ]
    assert watch({}, nothing, state=state) == []


@pytest.mark.usefixtures("one_trigger")
def test_without_a_store_a_new_triggerer_starts_anew(cortex_emulator: Emulator) -> None:
    """Before Airflow 3.3: nothing is reported twice, and what finished meanwhile is missed."""
    before, meanwhile = (Job(cortex_emulator, f"m{number}") for number in range(2))
    assert ids(watch({}, before.succeed, nothing, nothing)) == [before.id]
    meanwhile.succeed()
    assert watch({}, nothing) == []


@pytest.mark.usefixtures("one_trigger")
def test_a_triggerer_that_dies_at_once_after_an_event_fires_again(
    cortex_emulator: Emulator,
) -> None:
    """At least once: Airflow may not have written the event yet."""
    job = Job(cortex_emulator)
    state = State()
    # It dies in the sleep that follows the event.
    assert ids(watch({}, job.succeed, state=state)) == [job.id]
    assert ids(watch({}, nothing, state=state)) == [job.id]
    assert watch({}, nothing, state=state) == []


@pytest.mark.usefixtures("one_trigger")
def test_watchers_of_one_asset_keep_their_own_state(cortex_emulator: Emulator) -> None:
    """Another filter is another watcher; another interval is not."""
    job = Job(cortex_emulator)
    state = State()
    watch({"status": "SUCCESS"}, nothing, state=state)
    watch({"status": "ERROR"}, nothing, state=state)
    job.succeed()
    assert len(state) == 2
    found = watch({"status": ["success"], "poke_interval": 120}, nothing, state=state)
    assert ids(found) == [job.id]
    assert len(state) == 2


@pytest.mark.usefixtures("one_trigger")
@pytest.mark.parametrize("kept", ["text", [], {"reported": "ft_1"}, {}, 7])
def test_an_unknown_state_counts_as_none(kept: object, cortex_emulator: Emulator) -> None:
    """Such as that of another release: the watcher starts anew."""
    state = State()
    watch({}, state=state)
    (key,) = state
    state[key] = kept
    cortex_emulator.jobs.add(model="m", life=Life.at_once())
    assert watch({}, state=state) == []
    assert len(state[key]["reported"]) == 1


def test_what_any_asset_knows_is_reported() -> None:
    """Assets that know different jobs, as after a crash, are brought together again."""
    states = State(k={"reported": ["1", "2"]}), State(k={"reported": ["1"]}), State()

    async def load_and_save() -> tuple[str, ...] | None:
        jobs = ReportedJobs(states, "k")
        known = await jobs.load()
        assert await jobs.save(known or ())
        return known

    assert asyncio.run(load_and_save()) == ("1", "2")
    assert [state["k"] for state in states] == [{"reported": ["1", "2"]}] * 3


class Unreachable(State):
    """A state of which Airflow does not answer for a while."""

    is_down = True

    def get(self, key: str, default: object = None) -> Any:
        """Return a value, unless Airflow is down."""
        if self.is_down:
            raise TimeoutError
        return super().get(key, default)

    def set(self, key: str, value: object) -> None:
        """Keep a value, unless Airflow is down."""
        if self.is_down:
            raise TimeoutError
        super().set(key, value)


@pytest.mark.usefixtures("one_trigger")
def test_a_store_that_cannot_be_read_does_not_let_the_watcher_start_anew(
    cortex_emulator: Emulator,
) -> None:
    """It polls nothing until Airflow answers: else it would miss what finished meanwhile."""
    job = Job(cortex_emulator)
    state = Unreachable()
    state.is_down = False
    watch({}, state=state)
    job.succeed()
    state.is_down = True
    shows = sent(cortex_emulator, SHOW)

    def answer() -> None:
        assert sent(cortex_emulator, SHOW) == shows
        state.is_down = False

    assert ids(watch({}, nothing, answer, state=state)) == [job.id]


@pytest.mark.usefixtures("one_trigger")
def test_a_store_that_cannot_be_written_is_tried_again(
    cortex_emulator: Emulator, log_lines: Any
) -> None:
    """At the next poll; the events are not held up."""
    job = Job(cortex_emulator)
    state = Unreachable()
    state.is_down = False

    def end() -> None:
        job.succeed()
        state.is_down = True

    def answer() -> None:
        state.is_down = False

    assert ids(watch({}, end, nothing, answer, nothing, state=state)) == [job.id]
    assert any("may fire again" in line for line in log_lines())
    assert watch({}, nothing, state=state) == []
