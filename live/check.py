"""The checks, each tied to the guess that it checks."""

from __future__ import annotations

import inspect
from collections.abc import Callable

from live.account import Account
from live.finding import Finding

Check = Callable[[Account], Finding]

CHECKS: dict[str, Check] = {}
"""The check of each guess, in the order in which they run."""


def check(guess_id: str) -> Callable[[Check], Check]:
    """Make a function the check of a guess. Its docstring says what it does."""

    def register(function: Check) -> Check:
        CHECKS[guess_id] = function
        return function

    return register


def description(guess_id: str) -> str:
    """Return what the check of a guess does, in one line."""
    return " ".join((inspect.getdoc(CHECKS[guess_id]) or "").split())
