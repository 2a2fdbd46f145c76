"""Rows of cells as lines of text, for a log or a terminal."""

from __future__ import annotations

from collections.abc import Sequence


def aligned(rows: Sequence[Sequence[str]], *, left: int, gap: str = "  ") -> list[str]:
    """
    Return a line for each row, with aligned columns.

    :param left: so many columns are aligned to the left, the others to the right.
    :param gap: what stands between two columns.
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    pads = [str.ljust] * left + [str.rjust] * (len(widths) - left)
    return [
        gap.join(
            pad(cell, width) for pad, cell, width in zip(pads, row, widths, strict=True)
        ).rstrip()
        for row in rows
    ]
