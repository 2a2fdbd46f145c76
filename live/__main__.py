"""``make live``: check the guesses about Snowflake in a real account, and print a report."""

from __future__ import annotations

import argparse
import secrets
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence

from airflow_provider_cortex.errors import CortexError
from airflow_provider_cortex.hooks import CortexHook
from live.account import Account
from live.finding import Finding, Verdict
from live.redaction import Redact, redaction
from live.register import Guess, read_guesses
from live.report import announcement, leftovers, print_progress, print_report, report
from live.run import not_run, run_checks

FAILED = 1
INTERRUPTED = 130

NETWORK_TIMEOUT_SECONDS = 120
"""How long the driver tries a statement. Without it, a dead network would stop the clean-up."""


def main(
    words: Sequence[str] | None = None, *, sleep: Callable[[float], object] = time.sleep
) -> int:
    """
    Run the command, and return its exit status.

    It is 0 if no guess was refuted and everything was removed, 130 after Ctrl-C, and 1 otherwise.

    :param words: the arguments; None for those of this process.
    :param sleep: waits for a number of seconds.
    """
    register = read_guesses()
    arguments = _parser(register).parse_args(words)
    guesses = arguments.guesses or list(register.values())
    name = f"CORTEX_LIVE_{secrets.token_hex(4).upper()}"
    with CortexHook(
        arguments.conn_id, network_timeout=NETWORK_TIMEOUT_SECONDS, logs_in_again=False
    ) as hook:
        account = Account(hook, name=name, sleep=sleep, say=print_progress)
        try:
            print_progress(announcement(account, count=len(guesses)))
            if not (arguments.yes or _agrees()):
                print_progress("Nothing was created.")
                return FAILED
            hook.open()
            redact = redaction(hook)
        except CortexError as error:
            print_progress(str(error))
            return FAILED
        except KeyboardInterrupt:
            print_progress("\nNothing was created.")
            return INTERRUPTED
        return _run(guesses, account, redact)


def _agrees() -> bool:
    if not sys.stdin.isatty():
        print_progress("\nThere is no terminal to ask. Agree with --yes (make live YES=1).")
        return False
    print_progress("\nContinue? [y/N]")
    return sys.stdin.readline().strip().lower() in {"y", "yes"}


def _run(guesses: Sequence[Guess], account: Account, redact: Redact) -> int:
    """Check the guesses, clean up, print the report, and return the exit status."""
    findings: dict[Guess, Finding] = {}
    left: list[str] = []
    status = 0
    try:
        for guess, finding in run_checks(guesses, account):
            print_progress(f"{guess.id}: {finding.verdict}")
            findings[guess] = finding
    except KeyboardInterrupt:
        print_progress("\nCleaning up. Another Ctrl-C skips a step of it.")
        status = INTERRUPTED
    finally:
        left = account.clean_up()
        print_progress(leftovers(left, account.hook) if left else "Removed everything.")
    missing = {guess: not_run(guess) for guess in guesses if guess not in findings}
    print_report(report(findings | missing, redact))
    is_refuted = any(finding.verdict is Verdict.REFUTED for finding in findings.values())
    return status or (FAILED if is_refuted or left else 0)


def _parser(register: Mapping[str, Guess]) -> argparse.ArgumentParser:
    def guess(text: str) -> Guess:
        if text not in register:
            raise argparse.ArgumentTypeError(f"there is no guess {text!r}")
        return register[text]

    parser = argparse.ArgumentParser(prog="python -m live", description=__doc__)
    parser.add_argument(
        "guesses", nargs="*", type=guess, metavar="GUESS", help="what to check (default: all)"
    )
    parser.add_argument(
        "--conn-id",
        default="snowflake_default",
        help="Airflow's connection to the account (default: %(default)s)",
    )
    parser.add_argument("--yes", action="store_true", help="do not ask before the run")
    return parser


if __name__ == "__main__":
    # To end the process, or to close its terminal, is to interrupt it: it cleans up.
    for number in signal.SIGTERM, signal.SIGHUP:
        signal.signal(number, signal.default_int_handler)
    sys.exit(main())
