"""``make ui``: run the example DAG, and leave Airflow up until Ctrl-C."""

from __future__ import annotations

import argparse

from demo.console import LIMIT, play, say
from demo.deployment import JOB_SECONDS, Deployment
from demo.example import DAG_ID, run_example
from demo.stopping import pause


def ui(deployment: Deployment) -> None:
    run_example(deployment)
    say(f"\nAirflow's UI: {deployment.url}/dags/{DAG_ID}/runs/demo (Ctrl-C stops everything)")
    while True:
        deployment.check()
        pause(0.5)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m demo.ui", description=__doc__)
    parser.add_argument("--job-seconds", type=float, default=JOB_SECONDS)
    play(ui, Deployment(limit=LIMIT, job_seconds=parser.parse_args().job_seconds))


if __name__ == "__main__":
    main()
