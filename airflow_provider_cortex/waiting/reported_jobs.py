"""
What a watcher has reported, kept beyond its triggerer: in the asset state store of Airflow 3.3.

Before Airflow 3.3 nothing is kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from airflow_provider_cortex.errors import UnreachableError
from airflow_provider_cortex.waiting.checkpoint import finish_call, start_call

if TYPE_CHECKING:
    from airflow_provider_cortex.airflow_api.asset_watching import AssetState


class ReportedJobs:
    """
    The ids of the finished jobs that a watcher has reported.

    A trigger may watch several assets: each has them all, and may be the first to have them.

    :param states: the assets' states; none before Airflow 3.3.
    :param key: the value's name in each of them.
    """

    def __init__(self, states: Sequence[AssetState], key: str) -> None:
        self._states = states
        self._key = key
        self._saved: tuple[str, ...] | None = None

    async def load(self) -> tuple[str, ...] | None:
        """
        Return the ids that an earlier triggerer has saved, None if there are none.

        :raises UnreachableError: if Airflow does not answer: the watcher must not start anew.
        """
        values = await finish_call(
            start_call(lambda: [state.get(self._key) for state in self._states])
        )
        if values is None:
            raise UnreachableError("Airflow's asset state store does not answer")
        saved = [tuple(map(str, ids)) for value in values if (ids := _ids(value)) is not None]
        if not saved:
            return None
        known = tuple(dict.fromkeys(job_id for ids in saved for job_id in ids))
        # An asset that was watched only later, or not for a while, gets what the others know.
        self._saved = known if saved == [known] * len(self._states) else None
        return known

    async def save(self, ids: tuple[str, ...]) -> bool:
        """Save the ids, if they have changed; return whether Airflow has them now."""
        if not self._states or self._saved == ids:
            return True

        def write() -> bool:
            for state in self._states:
                state.set(self._key, {"reported": list(ids)})
            return True

        if await finish_call(start_call(write)) is None:
            return False
        self._saved = ids
        return True


def _ids(value: object) -> list[object] | None:
    """Return the ids in a saved value, None if it has none."""
    match value:
        case {"reported": [*ids]}:
            return ids
    return None
