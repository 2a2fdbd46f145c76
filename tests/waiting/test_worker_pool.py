"""A few threads serve all sessions, in turns, whatever hangs."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Future

import pytest

from airflow_provider_cortex.waiting import worker_pool
from airflow_provider_cortex.waiting.worker_pool import Line, WorkerPool
from tests.clock import client_threads, wait_until


class Calls:
    """Calls that a test ends, each with a name."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self._ends: dict[str, threading.Event] = {}
        self._held: list[str] = []

    def make(self, name: str) -> str:
        """Be a call: return *name* when the test ends it."""
        self.begun.append(name)
        self._ends.setdefault(name, threading.Event()).wait(20)
        return name

    def end(self, *names: str) -> None:
        """End calls, those that have begun and those that will."""
        for name in names:
            self._ends.setdefault(name, threading.Event()).set()

    def end_all(self) -> None:
        """End all calls that have begun."""
        self.end(*self._ends)


@pytest.fixture
def calls() -> Iterator[Calls]:
    """Provide calls, and leave none behind."""
    made = Calls()
    yield made
    made.end_all()


@pytest.fixture(autouse=True)
def two_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let two calls run at the same time; none takes long by itself."""
    monkeypatch.setenv("AIRFLOW__CORTEX__MAX_THREADS", "2")
    monkeypatch.setattr(worker_pool, "LONG_SECONDS", 60.0)
    monkeypatch.setattr(worker_pool, "HANGING_SECONDS", 60.0)


def with_lines(number: int, work: Callable[[list[Line]], Awaitable[None]]) -> None:
    """Let *work* use so many lines, which need no login."""

    async def main() -> None:
        lines = [WorkerPool.shared().new_line(lambda: False) for _ in range(number)]
        try:
            await work(lines)
        finally:
            for line in lines:
                line.end()

    asyncio.run(main())
    wait_until(lambda: not client_threads())


async def begun(calls: Calls, *names: str) -> None:
    """Wait until exactly these calls have begun, in any order."""
    await asyncio.to_thread(wait_until, lambda: len(calls.begun) >= len(names))
    assert sorted(calls.begun) == sorted(names)


async def result(future: "Future[str]") -> str:
    """Return a call's result."""
    return await asyncio.wait_for(asyncio.wrap_future(future), 20)


def test_no_more_calls_run_than_there_are_threads(calls: Calls) -> None:
    """The others wait for their turn."""

    async def work(lines: list[Line]) -> None:
        futures = [line.submit(calls.make, name) for line, name in zip(lines, "abc", strict=True)]
        await begun(calls, "a", "b")
        calls.end("b")
        assert await result(futures[1]) == "b"
        await begun(calls, "a", "b", "c")
        calls.end_all()
        assert [await result(future) for future in futures] == ["a", "b", "c"]

    with_lines(3, work)


def test_a_line_makes_one_call_at_a_time(calls: Calls) -> None:
    """A session cannot be used by two threads."""

    async def work(lines: list[Line]) -> None:
        (line,) = lines
        futures = [line.submit(calls.make, name) for name in "abc"]
        for name, future in zip("abc", futures, strict=True):
            assert calls.begun[-1:] != [name] or not future.done()
            calls.end(name)
            assert await result(future) == name
        assert calls.begun == ["a", "b", "c"]
        assert len(client_threads()) == 1

    with_lines(1, work)


def test_lines_take_turns(calls: Calls, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line with many calls does not delay one that has a single call."""
    monkeypatch.setenv("AIRFLOW__CORTEX__MAX_THREADS", "1")

    async def work(lines: list[Line]) -> None:
        busy, other = lines
        futures = [busy.submit(calls.make, name) for name in "abc"]
        futures.append(other.submit(calls.make, "x"))
        calls.end(*"abcx")
        for future in futures:
            await result(future)
        assert calls.begun == ["a", "x", "b", "c"]

    with_lines(2, work)


def test_at_most_four_lines_log_in_at_once(calls: Calls, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines that are logged in go first."""
    monkeypatch.setenv("AIRFLOW__CORTEX__MAX_THREADS", "8")

    async def main() -> None:
        pool = WorkerPool.shared()
        new = [pool.new_line(lambda: True) for _ in range(6)]
        old = pool.new_line(lambda: False)
        futures = [line.submit(calls.make, str(number)) for number, line in enumerate(new)]
        futures.append(old.submit(calls.make, "old"))
        await begun(calls, "0", "1", "2", "3", "old")
        calls.end("2")
        await result(futures[2])
        await begun(calls, "0", "1", "2", "3", "old", "4")
        calls.end("0", "1", "3", "4", "5", "old")
        for future in futures:
            await result(future)
        for line in [*new, old]:
            line.end()

    asyncio.run(main())


def test_calls_that_take_long_make_room(calls: Calls, monkeypatch: pytest.MonkeyPatch) -> None:
    """For as many others as there are threads; then the next calls wait."""
    monkeypatch.setattr(worker_pool, "LONG_SECONDS", 0.0)

    async def work(lines: list[Line]) -> None:
        futures = [line.submit(calls.make, name) for line, name in zip(lines, "abcde", strict=True)]
        await begun(calls, *"abcd")
        assert len(client_threads()) == 4
        calls.end("c")
        await result(futures[2])
        await begun(calls, *"abcde")
        calls.end_all()
        for future in futures:
            await result(future)

    with_lines(5, work)


def test_a_line_that_hangs_takes_no_thread_from_others(
    calls: Calls, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many lines hang: once that is known, the others keep all their threads."""
    monkeypatch.setattr(worker_pool, "HANGING_SECONDS", 0.0)

    async def work(lines: list[Line]) -> None:
        hanging, healthy = lines[:3], lines[3:]
        calls.end("first")
        for line in hanging:
            await result(line.submit(calls.make, "first"))
        await asyncio.to_thread(wait_until, lambda: all(line.hangs for line in hanging))
        monkeypatch.setattr(worker_pool, "HANGING_SECONDS", 60.0)
        calls.begun.clear()
        stuck = [line.submit(calls.make, f"stuck {n}") for n, line in enumerate(hanging)]
        await begun(calls, "stuck 0", "stuck 1")
        futures = [line.submit(calls.make, f"ok {n}") for n, line in enumerate(healthy)]
        await begun(calls, "stuck 0", "stuck 1", "ok 0", "ok 1")
        calls.end_all()
        for future in [*stuck[:2], *futures]:
            await result(future)
        calls.end("stuck 2")
        await result(stuck[2])
        # They answered in time: they are like the others again.
        await asyncio.to_thread(wait_until, lambda: not any(line.hangs for line in lines))

    with_lines(5, work)


def test_a_call_that_waits_can_be_cancelled(calls: Calls) -> None:
    """Then it is never made."""

    async def work(lines: list[Line]) -> None:
        futures = [line.submit(calls.make, name) for line, name in zip(lines, "abc", strict=True)]
        await begun(calls, "a", "b")
        assert futures[2].cancel()
        calls.end("a", "b")
        await result(futures[0])
        assert await result(lines[2].submit(calls.make, "b")) == "b"
        assert "c" not in calls.begun

    with_lines(3, work)


def test_an_error_is_the_calls_own() -> None:
    """Its thread goes on."""

    async def work(lines: list[Line]) -> None:
        (line,) = lines
        failing, working = line.submit(lambda: 1 / 0), line.submit(lambda: "done")
        assert await result(working) == "done"
        assert isinstance(failing.exception(), ZeroDivisionError)

    with_lines(1, work)


def test_without_a_thread_the_call_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next one is made, once the machine can start a thread again."""

    def start(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    async def work(lines: list[Line]) -> None:
        (line,) = lines
        with monkeypatch.context() as patch:
            patch.setattr(threading.Thread, "start", start)
            futures = [line.submit(lambda: "lost") for _ in range(2)]
        assert {str(future.exception()) for future in futures} == {"can't start new thread"}
        assert await result(line.submit(lambda: "done")) == "done"

    with_lines(1, work)


def test_calls_are_made_after_the_loop_has_ended(calls: Calls) -> None:
    """So a session is closed, even if the triggerer stops meanwhile."""

    async def main() -> list[Future[str]]:
        line = WorkerPool.shared().new_line(lambda: False)
        made = [line.submit(calls.make, name) for name in "ab"]
        await begun(calls, "a")
        line.end()
        return made

    futures = asyncio.run(main())
    assert client_threads()
    calls.end("a", "b")
    assert [future.result(20) for future in futures] == ["a", "b"]
    wait_until(lambda: not client_threads())
