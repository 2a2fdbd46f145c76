"""``make ui``: run the example DAG, and leave Airflow up until Ctrl-C."""

from __future__ import annotations

from demo.console import main, say
from demo.deployment import Deployment
from demo.example import DAG_ID, run_example
from demo.stopping import pause


def ui(deployment: Deployment) -> None:
    run_example(deployment)
    say(f"\nAirflow's UI: {deployment.url}/dags/{DAG_ID}/runs/demo (Ctrl-C stops everything)")
    while True:
        deployment.check()
        pause(0.5)


if __name__ == "__main__":
    main(ui)
