"""
What a trigger needs that watches an asset: Airflow's versions and private APIs, as in
``compat.py``, for this one subject, which Airflow 2 does not have.
"""

from __future__ import annotations

from typing import Any, Protocol

import airflow.triggers.base
from airflow.providers.common.compat.sdk import AirflowOptionalProviderFeatureException
from airflow.triggers.base import BaseTrigger

BaseEventTrigger: Any = getattr(airflow.triggers.base, "BaseEventTrigger", BaseTrigger)
"""The class that ``AssetWatcher`` demands: Airflow 3.0+. On Airflow 2 it is any trigger's."""


class AssetState(Protocol):
    """What Airflow keeps for an asset: JSON by key."""

    def get(self, key: str) -> object:
        """Return a value, None if there is none."""

    def set(self, key: str, value: Any) -> None:
        """Keep a value."""


def check_watchers(name: str) -> None:
    """
    Check that this Airflow has ``AssetWatcher``.

    :param name: the class that needs it.
    :raises AirflowOptionalProviderFeatureException: if it has not.
    """
    if BaseEventTrigger is BaseTrigger:
        raise AirflowOptionalProviderFeatureException(
            f"{name} needs Airflow 3.0 or later: earlier ones have no AssetWatcher."
        )


def asset_states(trigger: Any) -> list[AssetState]:
    """
    Return the states of the assets that a trigger watches. Airflow 3.3+; before, there are none.

    ``BaseEventTrigger.asset_state_store`` is public, but only for a trigger that watches a single
    asset: ``_by_name`` and ``_by_uri`` have those of several. If they are renamed, a watcher starts
    anew with each triggerer, as on earlier versions. Read in Airflow 3.3.2.
    """
    store = getattr(trigger, "asset_state_store", None)
    found = [getattr(store, name, {}) for name in ("_by_name", "_by_uri")]
    return [state for states in found for state in states.values()]
