"""A pytest plugin. Every run of pytest imports it, so what is heavy waits for a first use."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from airflow_provider_cortex.emulator.server import Emulator


@pytest.fixture
def cortex_emulator() -> "Iterator[Emulator]":
    """Run an emulator of this test's own, whose jobs are over at once."""
    from airflow_provider_cortex.emulator import Emulator

    with Emulator() as emulator:
        yield emulator


@pytest.fixture
def cortex_connection(cortex_emulator: "Emulator", monkeypatch: pytest.MonkeyPatch) -> str:
    """Make the emulator Airflow's default Snowflake connection, and return its id."""
    # Else the driver asks the clouds' metadata hosts where it runs: seconds, without a network.
    monkeypatch.setenv("SNOWFLAKE_DISABLE_PLATFORM_DETECTION", "true")
    monkeypatch.setenv("AIRFLOW_CONN_SNOWFLAKE_DEFAULT", cortex_emulator.airflow_connection)
    return "snowflake_default"
