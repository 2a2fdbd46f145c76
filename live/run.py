"""Run the checks one after another."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from airflow_provider_cortex.errors import CortexError
from live import checks as _checks  # noqa: F401 - they fill CHECKS
from live.account import Account
from live.check import CHECKS
from live.finding import CannotTellError, Finding, Verdict
from live.register import Guess


def run_checks(guesses: Iterable[Guess], account: Account) -> Iterator[tuple[Guess, Finding]]:
    """Yield what the check of each guess finds: first the checks that need no finished job."""
    order = list(CHECKS)
    checked = [guess for guess in guesses if not guess.no_check]
    for guess in sorted(checked, key=lambda guess: order.index(guess.id)):
        yield guess, _run(guess, account)


def not_run(guess: Guess) -> Finding:
    """Return the finding for a guess whose check does not exist, or was not run."""
    reason = f"no check: {guess.no_check}" if guess.no_check else "interrupted before its check"
    return Finding(Verdict.UNCLEAR, reason)


def _run(guess: Guess, account: Account) -> Finding:
    """Return what a check finds. If it raises, it could not tell."""
    try:
        return CHECKS[guess.id](account)
    except (CannotTellError, CortexError) as error:
        return Finding(Verdict.UNCLEAR, str(error))
    except Exception as error:  # noqa: BLE001 - the other checks go on
        return Finding(Verdict.UNCLEAR, f"the check failed: {error!r}")
