"""A pytest plugin. Every run of pytest imports it, so it imports the emulator only when used."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from airflow_provider_cortex.emulator.emulator import Emulator

POLL_SECONDS = 0.1
"""Seconds between two polls: enough that a wait for some seconds is no busy loop."""


@pytest.fixture
def cortex_emulator(monkeypatch: pytest.MonkeyPatch) -> "Iterator[Emulator]":
    """
    Run an emulator for one test. Its jobs finish at the first poll.

    The environment lets this process and its children use it, and makes their waits fast.
    """
    from airflow_provider_cortex.emulator import Emulator

    with Emulator() as emulator:
        for name, value in emulator.environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("AIRFLOW__CORTEX__POLL_SECONDS_IN_TESTS", str(POLL_SECONDS))
        yield emulator


@pytest.fixture
def cortex_connection(cortex_emulator: "Emulator") -> str:  # noqa: ARG001 - asked for to be there
    """Return the id of the Airflow connection that leads to the emulator."""
    return "snowflake_default"
