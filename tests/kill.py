"""Kill a task on its worker, as Airflow 3 does, while the test goes on."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from airflow_provider_cortex.emulator import Emulator
from tests.answer_table.signals import fail_after
from tests.clock import wait_until

NUDGE_SECONDS = 0.05
"""Between two signals without effect."""


@contextmanager
def signalled(number: int, when: Callable[[], object]) -> Iterator[None]:
    """
    Send a signal to this thread, the main one, once *when* is true.

    Python runs a signal's handler when the signal interrupts a system call. One that comes just
    before the call begins does not, and the call may take a minute. So signals without effect
    follow: the next one interrupts it.
    """
    main_thread = threading.get_ident()
    over = threading.Event()

    def send() -> None:
        wait_until(when)
        signal.pthread_kill(main_thread, number)
        while not over.wait(NUDGE_SECONDS):
            signal.pthread_kill(main_thread, signal.SIGUSR1)

    before = signal.signal(signal.SIGUSR1, lambda *_: None)
    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        signal.signal(signal.SIGUSR1, before)


@contextmanager
def killed(task: Any, when: Callable[[], object]) -> Iterator[threading.Event]:
    """
    Kill a task that runs in this thread once *when* is true.

    As in Airflow 3, the task runs on until SIGKILL.

    Provides an event that is set when ``on_kill`` has returned.
    """
    done = threading.Event()

    def on_term(*_: object) -> None:
        task.on_kill()
        done.set()

    before = signal.signal(signal.SIGTERM, on_term)
    try:
        with signalled(signal.SIGTERM, when):
            yield done
    finally:
        signal.signal(signal.SIGTERM, before)
    assert done.is_set()


@contextmanager
def then(done: threading.Event, *, do: Callable[[], object]) -> Iterator[None]:
    """Let a task end that has been killed."""

    def act() -> None:
        done.wait()
        do()

    thread = threading.Thread(target=act)
    thread.start()
    yield
    thread.join()


def is_hanging(emulator: Emulator, *, earlier: int = 0) -> bool:
    """Return whether a request hangs, or has hung, after so many earlier faults."""
    return any(fault.kind == "hang" for fault in emulator.faults.struck[earlier:])


@contextmanager
def killed_in_statement(task: Any, emulator: Emulator, *, number: int = 1) -> Iterator[None]:
    """Kill a task while Snowflake answers a statement: the first one, or a later one."""
    fail_after(number - 1, emulator, "hang")
    with (
        killed(task, lambda: is_hanging(emulator)) as done,
        then(done, do=emulator.faults.clear),
    ):
        yield
