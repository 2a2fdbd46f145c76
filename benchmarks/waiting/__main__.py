"""
``python -m benchmarks.waiting``: measure what waiting for many jobs costs.

``python -m benchmarks.waiting package 1000 3`` measures one contender with 1000 jobs and 3 rounds.
"""

from __future__ import annotations

import sys

from benchmarks.waiting.report import measure, report
from tools.output import print_line


def main() -> None:
    if sys.argv[1:]:
        contender, jobs, rounds = sys.argv[1:]
        print_line(str(measure(contender, int(jobs), int(rounds))))
    else:
        print_line(report())


if __name__ == "__main__":
    main()
