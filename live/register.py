"""
The register of guesses: what the code assumes about Snowflake without a source for it.

A comment in the package, or in a page of the documentation, defines each guess once::

    # Guess many-calls: one statement may have many calls. If wrong: each poll needs several
    # statements.

A guess that ``make live`` cannot check ends in ``No live check:`` and the reason. Other comments
and docstrings refer to it: ``(guess many-calls)``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).parents[1]
PACKAGE = "airflow_provider_cortex"

DEFINITIONS = {
    ".py": re.compile(
        r"^ *# Guess (?P<id>[a-z0-9-]+): (?P<text>.*(?:\n *# (?!Guess ).*)*)", re.MULTILINE
    ),
    ".md": re.compile(r"<!-- Guess (?P<id>[a-z0-9-]+): (?P<text>.*?) -->", re.DOTALL),
}
"""How a guess is defined, by the kind of file."""

REFERENCE = re.compile(r"\b[Gg]uess `?(?P<id>[a-z0-9]+(?:-[a-z0-9]+)+)\b")
"""How a guess is named, where it is defined and where it is used."""

_PARTS = re.compile(
    r"(?P<assumed>.+?) If wrong: (?P<if_wrong>.+?)(?: No live check: (?P<no_check>.+))?"
)
_LINE_BREAK = re.compile(r"\s*\n *(?:# ?)?")


class RegisterError(Exception):
    """A guess is defined twice, never, or not completely."""


@dataclass(frozen=True, kw_only=True)
class Guess:
    """
    Something that the code assumes about Snowflake.

    :param if_wrong: what happens then.
    :param no_check: why ``make live`` cannot check it; None if it can.
    :param files: the file that defines it, and then those that refer to it, relative to the root.
    """

    id: str
    assumed: str
    if_wrong: str
    no_check: str | None
    files: tuple[Path, ...]

    @property
    def is_of_emulator(self) -> bool:
        """Whether only the emulator rests on it."""
        return all("emulator" in file.parts for file in self.files)


def read_guesses(root: Path = CHECKOUT) -> dict[str, Guess]:
    """
    Return all guesses by their ids, in the order of the files that define them.

    :param root: the folder with the package and ``docs/``.
    :raises RegisterError: if one is defined twice, never, or not completely.
    """
    texts = dict(_texts(root))
    definitions: dict[str, tuple[Path, str]] = {}
    for file, text in texts.items():
        for found in DEFINITIONS[file.suffix].finditer(text):
            if found["id"] in definitions:
                first, _ = definitions[found["id"]]
                raise RegisterError(f"Guess {found['id']} is defined in {first} and in {file}.")
            definitions[found["id"]] = file, one_line(found["text"])
    users = {file: names(text) for file, text in texts.items()}
    for file, ids in users.items():
        if unknown := ids - definitions.keys():
            raise RegisterError(f"{file} names a guess that no comment defines: {min(unknown)}.")
    return {
        guess_id: _guess(guess_id, text, file, users)
        for guess_id, (file, text) in definitions.items()
    }


def names(text: str) -> set[str]:
    """Return the ids of the guesses that a text names."""
    return {found["id"] for found in REFERENCE.finditer(one_line(text))}


def one_line(text: str) -> str:
    """Return a comment or a docstring without its line breaks and the signs of its comments."""
    return _LINE_BREAK.sub(" ", text).strip()


def _texts(root: Path) -> Iterator[tuple[Path, str]]:
    for folder, pattern in (PACKAGE, "*.py"), ("docs", "*.md"):
        for file in sorted((root / folder).rglob(pattern)):
            yield file.relative_to(root), file.read_text(encoding="utf-8")


def _guess(guess_id: str, text: str, file: Path, users: dict[Path, set[str]]) -> Guess:
    parts = _PARTS.fullmatch(text)
    if parts is None:
        raise RegisterError(
            f"Guess {guess_id} in {file} must say what is assumed, and then 'If wrong: …'."
        )
    others = [
        user
        for user, ids in users.items()
        if user != file and user.suffix == ".py" and guess_id in ids
    ]
    return Guess(**parts.groupdict(), id=guess_id, files=(file, *others))
