"""RESULTS.md. Each command writes its own sections and keeps the others."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

RESULTS = Path(__file__).parent / "RESULTS.md"


def write(sections: Sequence[str], *, head: str | None = None) -> None:
    """Write *sections* into RESULTS.md. Each replaces the section with the same title."""
    old = RESULTS.read_text(encoding="utf-8") if RESULTS.exists() else ""
    RESULTS.write_text(merged(old, sections, head=head), encoding="utf-8")


def merged(old: str, sections: Sequence[str], *, head: str | None = None) -> str:
    """
    Return the text *old* with *sections*. Sections with a new title are appended.

    :param sections: each begins with ``## ``.
    :param head: the text before the first section; None keeps that of *old*.
    """
    first, *others = re.split(r"^(?=## )", old, flags=re.MULTILINE)
    by_title = {_title(section): section for section in others}
    by_title |= {_title(section): section for section in sections}
    parts = [first if head is None else head, *by_title.values()]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _title(section: str) -> str:
    return section.partition("\n")[0].strip()
