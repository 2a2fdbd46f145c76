"""
``make bench``: measure, print the results, and write all sections of RESULTS.md except Soak.

``python -m benchmarks waiting imports`` measures only these parts and writes no file. ``--small``
uses few jobs and writes no file: it shows in a minute that the benchmarks run, and its numbers are
meaningless.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from functools import partial

from benchmarks import imports, jobs_page, machine, policy, results, week
from benchmarks.latency import plan
from benchmarks.latency import report as latency
from benchmarks.waiting import report as waiting
from tools.output import print_line

TEXT = """\
# Benchmarks

Written by `make bench`; the section Soak is written by `make soak`. Only quote ratios: times and
memory are those of one run on one machine."""


PARTS: dict[str, Callable[[], str]] = {
    "waiting": waiting.report,
    "latency": latency.report,
    "policy": policy.report,
    "week": week.report,
    "imports": imports.report,
    "page": jobs_page.report,
}

SMALL: dict[str, Callable[[], str]] = {
    "waiting": partial(waiting.report, waiting.SMALL, waiting.SMALL_HANGING),
    "latency": partial(latency.report, plan.SMALL),
    "policy": partial(policy.report, policy.SMALL),
    "week": partial(week.report, week.SMALL),
    "imports": partial(imports.report, imports.SMALL),
    "page": partial(jobs_page.report, jobs_page.SMALL),
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--small", action="store_true", help="only show that everything runs")
    arguments = parser.parse_args()
    if unknown := set(arguments.parts) - set(PARTS):
        sys.exit(f"Unknown part: {', '.join(sorted(unknown))}. Choose from {', '.join(PARTS)}.")
    parts = SMALL if arguments.small else PARTS
    writes = not (arguments.small or arguments.parts)
    for name in arguments.parts or parts:
        section = parts[name]()
        print_line(f"\n{section}")
        if writes:  # at once: a later part may fail
            results.write([section], head=f"{TEXT}\n\n{machine.description()}")
    if writes:
        print_line(f"\nWritten to {results.RESULTS}")
    elif arguments.small:
        print_line("\nSmall: the benchmarks run. These numbers are meaningless.")


if __name__ == "__main__":
    main()
