"""A pytest plugin for make mutate: what to try a mutant with, and what first."""

import json
import os
from pathlib import Path

import pytest

PURE = "airflow_provider_cortex.cortex."
STATS = Path("mutmut-stats.json")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """
    Choose among the tests that reach the mutant.

    What is decided in pure code has plain tests: a mutant there that only the emulator's tests would
    notice has survived. Elsewhere each test takes its time, so the quick ones come first.
    """
    mutant = os.environ.get("MUTANT_UNDER_TEST", "")
    if not mutant.startswith(
        "airflow_provider_cortex."
    ):  # not a mutant: mutmut learns what there is
        return
    if mutant.startswith(PURE):
        others = [item for item in items if not item.nodeid.startswith("tests/cortex/")]
        items[:] = [item for item in items if item not in others]
        config.hook.pytest_deselected(items=others)
    seconds = json.loads(STATS.read_text(encoding="utf-8"))["duration_by_test"]
    items.sort(key=lambda item: seconds.get(item.nodeid, 0.0))
