"""Kill a task on its worker, as Airflow 3 does, while the test goes on."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from airflow_provider_cortex.emulator import Emulator
from tests.answer_table.signals import fail_after
from tests.clock import wait_until


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

    def kill() -> None:
        wait_until(when)
        os.kill(os.getpid(), signal.SIGTERM)

    before = signal.signal(signal.SIGTERM, on_term)
    thread = threading.Thread(target=kill)
    thread.start()
    try:
        yield done
    finally:
        thread.join()
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


@contextmanager
def killed_in_statement(task: Any, emulator: Emulator, *, number: int = 1) -> Iterator[None]:
    """Kill a task while Snowflake answers a statement: the first one, or a later one."""
    fail_after(number - 1, emulator, "hang")

    def is_hanging() -> bool:
        return any(fault.kind == "hang" for fault in emulator.faults.struck)

    with (
        killed(task, is_hanging) as done,
        then(done, do=emulator.faults.clear),
    ):
        yield
