"""``make ui``: run the example DAG, and keep Airflow running until Ctrl-C."""

from __future__ import annotations

import argparse

from demo.deployment import JOB_SECONDS, DemoDeployment
from demo.example_run import run_example
from tools.command import run
from tools.deployment import EXAMPLE_DAG_ID
from tools.output import print_line
from tools.signals import sleep


def ui(deployment: DemoDeployment) -> None:
    """Run the example DAG, print the UI's address, and wait for Ctrl-C."""
    run_example(deployment)
    url = f"{deployment.url}/dags/{EXAMPLE_DAG_ID}/runs/demo"
    print_line(f"\nAirflow's UI: {url} (Ctrl-C stops everything)")
    while True:
        deployment.check_processes()
        sleep(0.5)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m demo.ui", description=__doc__)
    parser.add_argument("--job-seconds", type=float, default=JOB_SECONDS)
    run(ui, DemoDeployment(job_seconds=parser.parse_args().job_seconds))


if __name__ == "__main__":
    main()
