"""A table to train on, and the task that checks it."""

from collections.abc import Callable

import pytest

from airflow_provider_cortex.emulator import Emulator
from tests.account import create_table
from tests.training_data.traffic_lights import ROWS, check
from tests.worker import Result, Worker


@pytest.fixture
def run(connection: str, worker: Worker) -> Callable[..., Result]:
    """Run the operator that checks data."""
    return lambda **changes: worker.run(lambda: check(**changes))


@pytest.fixture
def train(connection: str, cortex_emulator: Emulator) -> None:
    """Have a table to train on: three rows of 13 tokens."""
    create_table(cortex_emulator, "train", ROWS, "prompt, completion")
