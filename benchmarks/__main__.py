"""
``make bench``: measure, print it, and write RESULTS.md but for what ``make soak`` writes there.

``python -m benchmarks waiting imports`` measures those parts only, and prints only.
"""

from __future__ import annotations

import sys

from benchmarks import imports, machine, page, policy, results, waiting

TEXT = """\
# Benchmarks

Written by `make bench`, the section Soak by `make soak`. Ratios are what may be quoted: times
and memory are those of one run on one machine."""


PARTS = {
    "waiting": waiting.report,
    "policy": policy.report,
    "imports": imports.report,
    "page": page.report,
}


def main() -> None:
    chosen = sys.argv[1:] or list(PARTS)
    if unknown := set(chosen) - set(PARTS):
        sys.exit(f"No such part: {', '.join(sorted(unknown))}. There are: {', '.join(PARTS)}.")
    head = f"{TEXT}\n\n{machine.described()}"
    sections = []
    for name in chosen:
        sections.append(PARTS[name]())
        print(f"\n{sections[-1]}", flush=True)  # noqa: T201 - it is a command
    if not sys.argv[1:]:
        results.write(sections, head=head)
        print(f"\nWritten to {results.RESULTS}")  # noqa: T201


if __name__ == "__main__":
    main()
