"""
What supervises a triggerer: tells it which triggers to run and to drop, and hears which have fired.

It speaks as ``TriggerRunnerSupervisor`` of Airflow 3.3 does, but what to run comes from its caller, and no
database is needed.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import msgspec
from airflow.executors.workloads.task import TaskInstanceDTO
from airflow.executors.workloads.trigger import RunTrigger
from airflow.jobs.triggerer_job_runner import messages
from airflow.models.trigger import Trigger
from airflow.sdk.execution_time.comms import ConnectionResult, _RequestFrame, _ResponseFrame

from airflow_provider_cortex.triggers import CortexFineTuneTrigger

GRACE = 30.0
"""
Seconds for which a triggerer may take to end. That of Airflow 3.3 never does if a thread begins to look a
connection up when nobody reads the answers any more; its supervisor kills it, then.
"""


class Scheduler(Protocol):
    """Who knows what a triggerer is to do."""

    def begin(self) -> None:
        """Take note that it is ready."""

    def fired(self, trigger_id: int, payload: Mapping[str, Any]) -> None:
        """Take note of an event."""

    def ended(self, trigger_id: int) -> None:
        """Take note of a trigger that is gone, whether it has fired or not."""

    def broke(self, trigger_id: int, trace: Iterable[str]) -> None:
        """Take note of a trigger that crashed."""

    def step(self) -> tuple[list[RunTrigger], set[int]]:
        """Return the triggers to run from now on, and those to cancel: until they are gone."""

    @property
    def is_through(self) -> bool:
        """Whether the triggerer is to stop."""


def supervise(
    scheduler: Scheduler,
    connections: Mapping[str, str],
    *,
    notes: Path,
    environment: Mapping[str, str],
    look: Callable[[], None],
) -> int:
    """
    Run a triggerer, and return what it exits with.

    :param connections: what its database would tell of each connection, as JSON.
    :param notes: where it writes what is measured.
    :param look: is called about once a second.
    """
    with _started(notes, environment) as (process, line):
        _send(line, _ResponseFrame(id=0, body=messages.StartTriggerer().model_dump()))
        for number, request in enumerate(_requests(line)):
            if number == 0:
                scheduler.begin()
            body = request.body or {}
            if body.get("type") == "TriggerStateChanges":
                look()
                answer: Any = _synced(scheduler, body)
                if scheduler.is_through:
                    _stop(process)
            elif body.get("type") == "GetConnection":
                answer = _connection(body["conn_id"], connections)
            else:
                answer = None
            _send(line, _ResponseFrame(id=request.id, body=answer))
        return process.wait()


@contextmanager
def _started(
    notes: Path, environment: Mapping[str, str]
) -> Iterator[tuple[subprocess.Popen[bytes], socket.socket]]:
    ours, its = socket.socketpair()
    command = [sys.executable, "-m", "benchmarks.triggerer", str(notes)]
    with (
        # Its loggers write to its output.
        subprocess.Popen(  # noqa: S603 - our own command
            command, stdin=its.fileno(), stdout=subprocess.DEVNULL, env=environment
        ) as process,
        ours,  # closed first: a triggerer without a supervisor ends
    ):
        its.close()
        try:
            yield process, ours
        finally:
            process.terminate()


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Ask it to end, and do not wait for ever: as Airflow does."""
    process.terminate()
    timer = threading.Timer(GRACE, process.kill)
    timer.daemon = True
    timer.start()


def workload(trigger_id: int, trigger: CortexFineTuneTrigger) -> RunTrigger:
    """Return *trigger* as a triggerer gets it, as of a deferred task of its own."""
    classpath, arguments = trigger.serialize()
    task = TaskInstanceDTO(
        id=uuid.uuid4(),
        dag_version_id=uuid.uuid4(),
        dag_id="tickets",
        task_id="wait",
        run_id=f"weekly_{trigger_id}",
        try_number=1,
        map_index=-1,
        pool_slots=1,
        queue="default",
        priority_weight=1,
    )
    return RunTrigger(
        id=trigger_id,
        classpath=classpath,
        encrypted_kwargs=Trigger.encrypt_kwargs(arguments),
        ti=task,
    )


def _synced(scheduler: Scheduler, changes: Mapping[str, Any]) -> dict[str, Any]:
    for trigger_id, event, *_ in changes.get("events") or ():
        scheduler.fired(trigger_id, event["payload"])
    for trigger_id, trace in changes.get("failures") or ():
        scheduler.broke(trigger_id, trace or ())
    for trigger_id in changes.get("finished") or ():
        scheduler.ended(trigger_id)
    to_create, to_cancel = scheduler.step()
    return messages.TriggerStateSync(to_create=to_create, to_cancel=to_cancel).model_dump()


def _connection(conn_id: str, connections: Mapping[str, str]) -> dict[str, Any]:
    known = {"host": None, "port": None} | json.loads(connections[conn_id])
    known["extra"] = json.dumps(known["extra"])
    result = ConnectionResult(conn_id=conn_id, **known)
    return result.model_dump(exclude_unset=True, by_alias=True) | {"type": result.type}


def _send(line: socket.socket, frame: _ResponseFrame) -> None:
    line.sendall(frame.as_bytes())


def _requests(line: socket.socket) -> Iterator[_RequestFrame]:
    """Yield what the triggerer asks, until it is gone."""
    decoder = msgspec.msgpack.Decoder(_RequestFrame)
    with line.makefile("rb") as stream:
        while length := stream.read(4):
            yield decoder.decode(stream.read(int.from_bytes(length, "big")))
