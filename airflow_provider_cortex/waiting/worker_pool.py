"""The threads in which a triggerer calls Snowflake: a few, however many connections there are."""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from functools import partial
from threading import Lock
from typing import Any, ClassVar

from airflow_provider_cortex.airflow_api import settings

MAX_LOGINS = 4
"""
Logins at the same time. A login computes for some ten milliseconds. Many threads that compute hold
up the event loop: Python runs one thread at a time.
"""

LONG_SECONDS = 1.0
"""A call that takes longer makes room for another one: it only waits for an answer."""

HANGING_SECONDS = 10.0
"""A line whose last call took longer hangs: its next one gets no thread that others may need."""


class Call:
    """A call that waits for a thread, or runs in one."""

    def __init__(self, work: Callable[[], Any], line: Line) -> None:
        self.future: Future[Any] = Future()
        self.line = line
        self.logs_in = False
        self._work = work
        self._began = math.inf
        """By the monotonic clock, seconds."""

    def begin(self, *, logs_in: bool) -> None:
        """Record that it has a thread from now on."""
        self.logs_in = logs_in
        self._began = time.monotonic()

    def has_taken(self, seconds: float) -> bool:
        """Return whether it has run for at least so long."""
        return time.monotonic() - self._began >= seconds

    def run(self) -> None:
        """Make the call, unless it was cancelled, and set its future."""
        if self.future.set_running_or_notify_cancel():
            try:
                self.future.set_result(self._work())
            except BaseException as error:  # noqa: BLE001 - what awaits the future gets it
                self.future.set_exception(error)
        # The error holds this frame, and the future holds the error: no cycle may remain.
        del self.future

    def fail(self, error: Exception) -> None:
        """Set the future of a call that cannot be made."""
        if self.future.set_running_or_notify_cancel():
            self.future.set_exception(error)


class Line(Executor):
    """
    The calls of one session: one at a time, in their order.

    :param logs_in: returns whether the next call has to log in first.
    """

    def __init__(self, pool: WorkerPool, logs_in: Callable[[], bool]) -> None:
        self.logs_in = logs_in
        self.waiting: deque[Call] = deque()
        self.hangs = False
        """Whether its last call took very long."""
        self._pool = pool

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Have a thread make a call when it is this line's turn. Nothing is blocked."""
        call = Call(partial(fn, *args, **kwargs), self)
        future = call.future
        self._pool.add(call)
        return future

    def end(self) -> None:
        """Take no further calls; those that wait are still made."""
        self._pool.remove_line()


class WorkerPool:
    """
    The threads for all lines of one event loop.

    Lines take turns, call by call. At the same time run at most ``[cortex] max_threads`` calls,
    among them at most :data:`MAX_LOGINS` logins. A call that takes long makes room for another
    one, but at most so many do. A line that hangs gets no other room than that. So there are
    never more than twice so many threads, and lines that hang leave the others half of them.

    It ends with its last line.
    """

    _pools: ClassVar[dict[asyncio.AbstractEventLoop, WorkerPool]] = {}

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._size = settings.max_threads()
        self._threads = ThreadPoolExecutor(2 * self._size, thread_name_prefix="cortex-client")
        # The event loop and the threads use what follows, under this lock.
        self._lock = Lock()
        self._lines = 0
        self._queue: deque[Line] = deque()
        """The lines with calls that wait, and none that runs, in the order of their turns."""
        self._running: dict[Line, Call] = {}

    @classmethod
    def shared(cls) -> WorkerPool:
        """Return the running event loop's pool."""
        loop = asyncio.get_running_loop()
        if loop not in cls._pools:
            cls._pools[loop] = cls(loop)
        return cls._pools[loop]

    def new_line(self, logs_in: Callable[[], bool]) -> Line:
        """Return a new line; it must be ended."""
        with self._lock:
            self._lines += 1
        return Line(self, logs_in)

    def remove_line(self) -> None:
        """Record that a line takes no further calls."""
        with self._lock:
            self._lines -= 1
            if not self._lines:
                del self._pools[self._loop]
            self._end_if_unused()

    def add(self, call: Call) -> None:
        """Have a thread make a call as soon as it is its turn."""
        line = call.line
        with self._lock:
            line.waiting.append(call)
            if len(line.waiting) == 1 and line not in self._running:  # else it has its place
                self._queue.append(line)
            self._start(self._next_calls())

    def _work(self, call: Call) -> None:
        """Make a call in this thread, then the one whose turn it is then, and so on."""
        calls = [call] if self._running.get(call.line) is call else []
        while calls:
            call = calls[0]
            call.run()
            with self._lock:
                call.line.hangs = call.has_taken(HANGING_SECONDS)
                self._ended(call)
                calls = self._next_calls()
                self._start(calls[1:])
                self._end_if_unused()

    def _next_calls(self) -> list[Call]:
        """Return the calls whose turn it is: from now on they count as running."""
        running = self._running.values()
        young = [call for call in running if not call.has_taken(LONG_SECONDS)]
        logins = sum(call.logs_in for call in young)
        long = len(running) - sum(not call.line.hangs for call in young)
        free = self._size + min(long, self._size) - len(running)
        calls = []
        for line in list(self._queue):
            logs_in = line.logs_in()
            has_room = long < self._size if line.hangs else free > 0
            if not has_room or (logs_in and logins >= MAX_LOGINS):
                continue
            logins += logs_in
            long += line.hangs
            free -= not line.hangs
            self._queue.remove(line)
            call = self._running[line] = line.waiting.popleft()
            call.begin(logs_in=logs_in)
            calls.append(call)
            # It may then make room for another one. A loop that is closed has no waits.
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._loop.call_later, LONG_SECONDS, self._wake)
        return calls

    def _start(self, calls: Iterable[Call]) -> None:
        for call in calls:
            try:
                self._threads.submit(self._work, call)
            except RuntimeError as error:  # the machine has no more threads
                self._ended(call)
                call.fail(error)

    def _ended(self, call: Call) -> None:
        del self._running[call.line]
        if call.line.waiting:
            self._queue.append(call.line)

    def _wake(self) -> None:
        with self._lock:
            self._start(self._next_calls())

    def _end_if_unused(self) -> None:
        if not (self._lines or self._queue or self._running):
            self._threads.shutdown(wait=False)
