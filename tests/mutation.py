"""A pytest plugin for ``make mutate``: which tests to try on a mutant, and in which order."""

import json
import os
from itertools import accumulate
from pathlib import Path

import pytest

PACKAGE = "airflow_provider_cortex."
STATS = Path("mutmut-stats.json")

OWN = {
    "cortex": ("tests/cortex/",),
    "hooks": ("tests/test_hook", "tests/test_default_timeouts", "tests/test_invalid_connections"),
    "operators": (
        "tests/test_operators",
        "tests/test_cancel",
        "tests/evaluation/",
        "tests/models/",
        "tests/training_data/",
    ),
    "tasks": ("tests/adoption/", "tests/answer_table/", "tests/evaluation/", "tests/models/"),
    "waiting": ("tests/waiting/", "tests/test_hook_jobs", "tests/test_cancel"),
}
"""How the names of a module's own tests begin, where the module's name does not say it."""

SECONDS = float(os.environ.get("MUTATE_SECONDS", "5"))
"""About how long to try one mutant; survivors are then tried for longer, by their names."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """
    Choose among the tests that reach the mutant.

    Pure code has plain tests: a mutant there that only tests with the emulator notice has
    survived. Other tests take longer: those of the mutant's own module come first, and quick ones
    before slow ones.
    """
    mutant = os.environ.get("MUTANT_UNDER_TEST", "")
    if not mutant.startswith(PACKAGE):  # mutmut is still collecting the tests
        return
    module = mutant.removeprefix(PACKAGE).split(".", maxsplit=1)[0]
    own = OWN.get(module, (f"tests/test_{module.removesuffix('s')}",))
    known = json.loads(STATS.read_text(encoding="utf-8"))["duration_by_test"]

    def rank(item: pytest.Item) -> tuple[bool, str, float]:
        # One file after the other: some have an emulator for all of their tests.
        return not item.nodeid.startswith(own), str(item.path), known.get(item.nodeid, 0.0)

    ranked = sorted(items, key=rank)
    spent = accumulate((known.get(item.nodeid, 0.0) for item in ranked), initial=0.0)
    items[:] = [
        item
        for item, before in zip(ranked, spent, strict=False)
        if before <= SECONDS and (module != "cortex" or item.nodeid.startswith(own))
    ]
    config.hook.pytest_deselected(items=[item for item in ranked if item not in items])
