"""
``make bench``: measure, print it, and write RESULTS.md.

``python -m benchmarks waiting imports`` measures those parts only, and prints only.
"""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks import imports, machine, policy, waiting

RESULTS = Path(__file__).parent / "RESULTS.md"

TEXT = """\
# Benchmarks

Written by `make bench`. Ratios are what may be quoted: times and memory are those of one run on one machine."""


PARTS = {"waiting": waiting.report, "policy": policy.report, "imports": imports.report}


def main() -> None:
    chosen = sys.argv[1:] or list(PARTS)
    if unknown := set(chosen) - set(PARTS):
        sys.exit(f"No such part: {', '.join(sorted(unknown))}. There are: {', '.join(PARTS)}.")
    sections = [TEXT, machine.described()]
    for name in chosen:
        sections.append(PARTS[name]())
        print(f"\n{sections[-1]}", flush=True)  # noqa: T201 - it is a command
    if not sys.argv[1:]:
        RESULTS.write_text("\n\n".join(sections) + "\n", encoding="utf-8")
        print(f"\nWritten to {RESULTS}")  # noqa: T201


if __name__ == "__main__":
    main()
