"""What happens to the cluster while it waits."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from cluster.deployment import Cluster

OUTAGE = 20.0
"""Seconds for which Snowflake cannot be reached."""


@dataclass(frozen=True)
class Blow:
    """
    One thing that is done to the cluster.

    :param at: seconds after the beginning.
    :param what: what to tell.
    :param strike: does it, and returns what more there is to tell.
    """

    at: float
    what: str
    strike: Callable[[], object]


class Chaos:
    """Does what is due, in turn."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._coming = self._blows()

    def strike(self, elapsed: float) -> Iterator[str]:
        """Do what is due after so many seconds; yield what was done."""
        while self._coming and self._coming[0].at <= elapsed:
            blow = self._coming.pop(0)
            detail = blow.strike()
            yield blow.what if detail is None else f"{blow.what} ({detail})"

    def _blows(self) -> list[Blow]:
        cluster, emulator = self._cluster, self._cluster.emulator
        return [
            Blow(10, "SIGKILL to triggerer-1 and all its processes", self._killer("triggerer-1")),
            Blow(35, "triggerer-1 started again", lambda: cluster.start_component("triggerer-1")),
            Blow(40, "SIGKILL to worker-1 and all its processes", self._killer("worker-1")),
            Blow(65, "worker-1 started again", lambda: cluster.start_component("worker-1")),
            Blow(75, "SIGTERM to the scheduler", lambda: cluster.end_component("scheduler")),
            Blow(75, "the scheduler started again", lambda: cluster.start_component("scheduler")),
            Blow(95, f"Snowflake refuses every connection for {OUTAGE:.0f} s", emulator.stop),
            Blow(95 + OUTAGE, "Snowflake can be reached again", emulator.start),
            Blow(130, "triggerer-2 stands still", lambda: cluster.pause_component("triggerer-2")),
            Blow(150, "every Snowflake session is ended", self._end_sessions),
            Blow(158, "triggerer-2 goes on", lambda: cluster.resume_component("triggerer-2")),
        ]

    def _killer(self, name: str) -> Callable[[], str]:
        return lambda: f"{self._cluster.kill_component(name)} processes"

    def _end_sessions(self) -> str:
        count = self._cluster.emulator.open_sessions
        self._cluster.emulator.faults.add("expire")
        return f"{count} were open"
