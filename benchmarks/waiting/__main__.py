"""
``python -m benchmarks.waiting``: measure what waiting for many jobs costs.

``python -m benchmarks.waiting '{"contender": "package", "waits": 1000, "rounds": 3}'`` measures one
case.
"""

from __future__ import annotations

import sys

from benchmarks.waiting.case import Case
from benchmarks.waiting.report import measure, report
from tools.output import print_line


def main() -> None:
    if sys.argv[1:]:
        print_line(str(measure(Case.parse(sys.argv[1]))))
    else:
        print_line(report())


if __name__ == "__main__":
    main()
