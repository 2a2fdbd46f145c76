"""
The parts of a document's text: what stands before a value, and the value.

Columns are separated by tabs, bars or several blanks.
"""

import re
from collections.abc import Iterator, Mapping
from itertools import pairwise

_WORD = re.compile(r"[^\W_]+")
_GAP = re.compile(r"\t|\s{2,}|\s\|\s")
_SEPARATORS = " \t:#=|"
_ITEM_END = re.compile(r"\s*(?:,|;|\band\b)\s*")

# A context is at most so many words.
_CONTEXT = 3

# A key without a separator is at most so many words, and its value has a digit.
_KEY = 4

_STOP_WORDS = frozenset(
    _WORD.findall(
        "a an and are at be by did do document does extract file find for from give has have how i in "
        "is it list many much of on or please return that the there this to value was were what when "
        "where which who whose will with"
    )
)


def fields(text: str) -> Iterator[tuple[str, str]]:
    """
    Yield the keys of a text and their values.

    ``Total: 12.00``, ``Total    12.00`` and ``Total 12.00`` are a key and a value; after ``Total:``
    alone, the value is the next line.
    """
    lines = _lines(text)
    for number, line in enumerate(lines):
        cells = _cells(line)
        for cell in cells:
            key, _, value = cell.partition(":")
            if value.strip():
                yield key, value.strip()
        if line.endswith(":") and number + 1 < len(lines):
            yield cells[-1], _cells(lines[number + 1])[0]
        for key, value in pairwise(cells):
            if ":" not in key.rstrip(_SEPARATORS):
                yield key, value
        words = line.split()
        first = next((n for n, word in enumerate(words) if _has_digit(word)), 0)
        if 0 < first <= _KEY:
            yield " ".join(words[:first]), _cells(line[line.index(words[first]) :])[0]


def values(text: str) -> Iterator[tuple[str, str]]:
    """
    Yield each value of a text, after the words that stand before it.

    A value may begin at each word of a line. The words before it are in the same column, or else
    they are the line above, after a line break.
    """
    above = ""
    for line in _lines(text):
        yield f"\n{context(above)}", line
        for match in re.finditer(r"(?<=\s)\S", line):
            before, value = line[: match.start()], line[match.start() :]
            if words := context(_GAP.split(before.rstrip(_SEPARATORS))[-1]):
                yield words, value
        above = line


def beginnings(value: str) -> Iterator[str]:
    """Yield the beginnings of a value that end with a word, the longest first."""
    for match in reversed(list(re.finditer(r"\S+", value))):
        yield value[: match.end()]


def begins_with(value: str, answer: str) -> bool:
    """Return whether *answer* is the beginning of *value*, up to a word's end."""
    rest = value[len(answer) :]
    return value.startswith(answer) and not rest[:1].isalnum()


def shape(text: str) -> str:
    """Return what a text looks like: digits as ``9``, letters as ``a``."""
    return re.sub(r"[^\W\d_]+", "a", re.sub(r"\d+", "9", text))


def content_words(text: str) -> set[str]:
    """Return the words of a text that say what it is about."""
    return {word for word in _WORD.findall(text.lower()) if word not in _STOP_WORDS}


def context(text: str) -> str:
    """Return the last words of a text, in small letters."""
    return " ".join(_WORD.findall(text.lower())[-_CONTEXT:])


def items(value: str) -> list[str]:
    """Return the items of a list that is written as ``a, b and c``."""
    return [item for item in _ITEM_END.split(value) if item]


def table(text: str, columns: Mapping[str, str]) -> dict[str, list[str]]:
    """
    Return the columns of the first table whose head has all of them.

    :param columns: the names of the columns, and what their heads say.
    """
    heads = {name: _normal(head) for name, head in columns.items()}
    lines = _lines(text)
    for number, line in enumerate(lines):
        head = [_normal(cell) for cell in _cells(line)]
        if all(each in head for each in heads.values()):
            rows = _rows(lines[number + 1 :], len(head))
            return {name: [row[head.index(each)] for row in rows] for name, each in heads.items()}
    return {name: [] for name in columns}


def _rows(lines: list[str], width: int) -> list[list[str]]:
    """Return the cells of the lines up to the first one with another number of cells."""
    rows = []
    for line in lines:
        cells = _cells(line)
        if len(cells) != width:
            break
        rows.append(cells)
    return rows


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in _GAP.split(line) if cell.strip()] or [""]


def _normal(text: str) -> str:
    return " ".join(_WORD.findall(text.lower()))


def _has_digit(word: str) -> bool:
    return any(letter.isdigit() for letter in word)
