"""
``make bench``: measure, print it, and write RESULTS.md but for what ``make soak`` writes there.

``python -m benchmarks waiting imports`` measures those parts only, and prints only. So does ``--small``,
with a few jobs: it shows in a minute that all of this runs, and its numbers mean nothing.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from functools import partial

from benchmarks import imports, machine, page, policy, results, waiting

TEXT = """\
# Benchmarks

Written by `make bench`, the section Soak by `make soak`. Ratios are what may be quoted: times
and memory are those of one run on one machine."""


PARTS: dict[str, Callable[[], str]] = {
    "waiting": waiting.report,
    "policy": policy.report,
    "imports": imports.report,
    "page": page.report,
}

SMALL: dict[str, Callable[[], str]] = {
    "waiting": partial(waiting.report, waiting.SMALL),
    "policy": partial(policy.report, policy.SMALL),
    "imports": partial(imports.report, imports.SMALL),
    "page": partial(page.report, page.SMALL),
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--small", action="store_true", help="only show that everything runs")
    arguments = parser.parse_args()
    if unknown := set(arguments.parts) - set(PARTS):
        sys.exit(f"No such part: {', '.join(sorted(unknown))}. There are: {', '.join(PARTS)}.")
    parts = SMALL if arguments.small else PARTS
    head = f"{TEXT}\n\n{machine.described()}"
    sections = []
    for name in arguments.parts or parts:
        sections.append(parts[name]())
        print(f"\n{sections[-1]}", flush=True)  # noqa: T201 - it is a command
    if arguments.small:
        print("\nSmall: the benchmarks run. These numbers mean nothing.")  # noqa: T201
    elif not arguments.parts:
        results.write(sections, head=head)
        print(f"\nWritten to {results.RESULTS}")  # noqa: T201


if __name__ == "__main__":
    main()
