"""The disruptions of the cluster while tasks wait, each at its time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from cluster.deployment import ClusterDeployment

OUTAGE_SECONDS = 20.0
"""For how long Snowflake cannot be reached."""


@dataclass(frozen=True)
class Disruption:
    """
    One thing that happens to the cluster.

    :param at: seconds after the jobs begin to end.
    :param text: what to print about it.
    :param action: causes it, and returns a detail to print, or None.
    """

    at: float
    text: str
    action: Callable[[], object]


class Chaos:
    """Causes the disruptions that are due, in order."""

    def __init__(self, cluster: ClusterDeployment) -> None:
        self._cluster = cluster
        self._pending = self._disruptions()

    def cause_due(self, elapsed: float) -> Iterator[str]:
        """Cause what is due after *elapsed* seconds; yield a line about each disruption."""
        while self._pending and self._pending[0].at <= elapsed:
            disruption = self._pending.pop(0)
            detail = disruption.action()
            yield disruption.text if detail is None else f"{disruption.text} ({detail})"

    def _disruptions(self) -> list[Disruption]:
        cluster, emulator = self._cluster, self._cluster.emulator
        start, stop = cluster.start_component, cluster.stop_component
        pause, resume = cluster.pause_component, cluster.resume_component
        outage = f"Snowflake is unreachable for {OUTAGE_SECONDS:.0f} s"
        return [
            Disruption(10, "SIGKILL to triggerer-1 and its children", self._killer("triggerer-1")),
            Disruption(35, "Started triggerer-1 again", lambda: start("triggerer-1")),
            Disruption(40, "SIGKILL to worker-1 and its children", self._killer("worker-1")),
            Disruption(65, "Started worker-1 again", lambda: start("worker-1")),
            Disruption(75, "SIGTERM to the scheduler", lambda: stop("scheduler")),
            Disruption(75, "Started the scheduler again", lambda: start("scheduler")),
            Disruption(95, outage, emulator.stop),
            Disruption(95 + OUTAGE_SECONDS, "Snowflake is reachable again", emulator.start),
            Disruption(130, "Suspended triggerer-2", lambda: pause("triggerer-2")),
            Disruption(150, "Ended all Snowflake sessions", self._end_sessions),
            Disruption(158, "Resumed triggerer-2", lambda: resume("triggerer-2")),
        ]

    def _killer(self, name: str) -> Callable[[], str]:
        return lambda: f"{self._cluster.kill_component(name)} processes"

    def _end_sessions(self) -> str:
        count = self._cluster.emulator.open_sessions
        self._cluster.emulator.faults.add("expire")
        return f"{count} were open"
