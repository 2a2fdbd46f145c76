"""
The supervisor of a triggerer: sends it triggers to run and to cancel, and receives their events.

It speaks the protocol of ``TriggerRunnerSupervisor`` in Airflow 3.3. Its caller decides which
triggers run, and it needs no database.
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

GRACE_SECONDS = 30.0
"""
How long a triggerer may take to end. That of Airflow 3.3 never ends if a thread asks for a
connection after the supervisor has stopped answering. Airflow's supervisor then kills it.
"""


class Scheduler(Protocol):
    """Decides what the triggerer does."""

    def begin(self) -> None:
        """Record that the triggerer is ready."""

    def trigger_fired(self, trigger_id: int, payload: Mapping[str, Any]) -> None:
        """Record an event."""

    def trigger_ended(self, trigger_id: int) -> None:
        """Record that a trigger has ended, with or without an event."""

    def trigger_crashed(self, trigger_id: int, traceback: Iterable[str]) -> None:
        """Record that a trigger has raised an exception."""

    def next_changes(self) -> tuple[list[RunTrigger], set[int]]:
        """Return the triggers to start, and those to cancel, until they have ended."""

    @property
    def has_finished(self) -> bool:
        """Whether the triggerer is to stop."""


def supervise(
    scheduler: Scheduler,
    connections: Mapping[str, str],
    *,
    measurements: Path,
    environment: Mapping[str, str],
    on_sync: Callable[[], None],
) -> int:
    """
    Run a triggerer until *scheduler* has finished; return the triggerer's exit status.

    :param connections: Airflow's connections by id, as JSON.
    :param measurements: the file that the triggerer writes to.
    :param on_sync: called about once a second.
    """
    with _triggerer(measurements, environment) as (process, connection):
        _send(connection, _ResponseFrame(id=0, body=messages.StartTriggerer().model_dump()))
        for number, request in enumerate(_requests(connection)):
            if number == 0:
                scheduler.begin()
            body = request.body or {}
            if body.get("type") == "TriggerStateChanges":
                on_sync()
                answer: Any = _sync(scheduler, body)
                if scheduler.has_finished:
                    _stop(process)
            elif body.get("type") == "GetConnection":
                answer = _connection_result(body["conn_id"], connections)
            else:
                answer = None
            _send(connection, _ResponseFrame(id=request.id, body=answer))
        return process.wait()


@contextmanager
def _triggerer(
    measurements: Path, environment: Mapping[str, str]
) -> Iterator[tuple[subprocess.Popen[bytes], socket.socket]]:
    ours, theirs = socket.socketpair()
    command = [sys.executable, "-m", "benchmarks.soak.triggerer", str(measurements)]
    with (
        # Its loggers write to its standard output.
        subprocess.Popen(  # noqa: S603 - our own command
            command, stdin=theirs.fileno(), stdout=subprocess.DEVNULL, env=environment
        ) as process,
        ours,  # closed first: a triggerer without a supervisor ends
    ):
        theirs.close()
        try:
            yield process, ours
        finally:
            process.terminate()


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Terminate it, and kill it after the grace period, as Airflow does."""
    process.terminate()
    timer = threading.Timer(GRACE_SECONDS, process.kill)
    timer.daemon = True
    timer.start()


def workload(trigger_id: int, trigger: CortexFineTuneTrigger) -> RunTrigger:
    """Return *trigger* in the form that a triggerer receives, for a deferred task of its own."""
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


def _sync(scheduler: Scheduler, changes: Mapping[str, Any]) -> dict[str, Any]:
    for trigger_id, event, *_ in changes.get("events") or ():
        scheduler.trigger_fired(trigger_id, event["payload"])
    for trigger_id, traceback in changes.get("failures") or ():
        scheduler.trigger_crashed(trigger_id, traceback or ())
    for trigger_id in changes.get("finished") or ():
        scheduler.trigger_ended(trigger_id)
    to_create, to_cancel = scheduler.next_changes()
    return messages.TriggerStateSync(to_create=to_create, to_cancel=to_cancel).model_dump()


def _connection_result(conn_id: str, connections: Mapping[str, str]) -> dict[str, Any]:
    fields = {"host": None, "port": None} | json.loads(connections[conn_id])
    fields["extra"] = json.dumps(fields["extra"])
    result = ConnectionResult(conn_id=conn_id, **fields)
    return result.model_dump(exclude_unset=True, by_alias=True) | {"type": result.type}


def _send(connection: socket.socket, frame: _ResponseFrame) -> None:
    connection.sendall(frame.as_bytes())


def _requests(connection: socket.socket) -> Iterator[_RequestFrame]:
    """Yield the triggerer's requests until it has ended."""
    decoder = msgspec.msgpack.Decoder(_RequestFrame)
    with connection.makefile("rb") as stream:
        while length := stream.read(4):
            yield decoder.decode(stream.read(int.from_bytes(length, "big")))
