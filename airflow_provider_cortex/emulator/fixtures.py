"""A pytest plugin. Every run of pytest imports it, so it imports the emulator only when used."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from airflow_provider_cortex.emulator.emulator import Emulator


@pytest.fixture
def cortex_emulator() -> "Iterator[Emulator]":
    """Run an emulator for one test. Its jobs finish at the first poll."""
    from airflow_provider_cortex.emulator import Emulator

    with Emulator() as emulator:
        yield emulator


@pytest.fixture
def cortex_connection(cortex_emulator: "Emulator", monkeypatch: pytest.MonkeyPatch) -> str:
    """Make the emulator Airflow's default Snowflake connection, and return the connection's id."""
    # Otherwise the driver asks the clouds' metadata services: slow, without a network.
    monkeypatch.setenv("SNOWFLAKE_DISABLE_PLATFORM_DETECTION", "true")
    monkeypatch.setenv("AIRFLOW_CONN_SNOWFLAKE_DEFAULT", cortex_emulator.airflow_connection)
    return "snowflake_default"
