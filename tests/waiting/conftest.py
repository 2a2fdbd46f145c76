"""What the tests of waiting share."""

import pytest

from tests.clock import Clock


@pytest.fixture
def clock() -> Clock:
    """Begin at 1,000 s after the epoch."""
    return Clock(1000.0)
