"""What the tests of waiting share."""

import json
from collections.abc import Iterator

import pytest

from tests.clock import Clock
from tests.secret_scan import XCOMS, leftovers
from tests.xcoms import XComs


@pytest.fixture
def clock() -> Clock:
    """Begin at 1,000 s after the epoch."""
    return Clock(1000.0)


@pytest.fixture
def xcoms(monkeypatch: pytest.MonkeyPatch) -> Iterator[XComs]:
    """Give triggers a table of XComs."""
    table = XComs()
    monkeypatch.setattr("airflow_provider_cortex.airflow_api.compat.XCom", table)
    yield table
    leftovers.leave(XCOMS, json.dumps(table))
