"""The tables of guesses that the documentation shows."""

from __future__ import annotations

from live import checks as _checks  # noqa: F401 - they fill CHECKS
from live.check import description
from live.register import PACKAGE, Guess, read_guesses

HEAD = ("guess", "what is assumed", "if it is wrong", "how `make live` checks it")


def guess_table(*, of_emulator: bool) -> str:
    """Return the guesses of the package, or those that only the emulator rests on, in Markdown."""
    guesses = sorted(read_guesses().values(), key=lambda guess: guess.id)
    rows = [_cells(guess) for guess in guesses if guess.is_of_emulator == of_emulator]
    return "\n".join(_row(cells) for cells in [HEAD, ("---",) * len(HEAD), *rows])


def _cells(guess: Guess) -> tuple[str, ...]:
    files = ", ".join(str(file).removeprefix(f"{PACKAGE}/") for file in guess.files)
    check = f"Not at all: {guess.no_check}" if guess.no_check else description(guess.id)
    texts = guess.assumed, guess.if_wrong, check
    return f"**{guess.id}**, in {files}", *(text[:1].upper() + text[1:] for text in texts)


def _row(cells: tuple[str, ...]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"
