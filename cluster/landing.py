"""A new model goes out as an asset, and another DAG runs on it: the examples, as Airflow schedules them."""

from __future__ import annotations

from typing import Any

from demo.api import Api

PRODUCER = "weekly_retraining"
CONSUMER = "answers_on_new_model"

OVER = {"success", "failed"}


class Landing:
    """The two DAGs; the scheduler starts a run of the first by itself, since one is due."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def start(self) -> None:
        """Let the scheduler have them."""
        for dag_id in CONSUMER, PRODUCER:
            self._api.patch(f"/dags/{dag_id}", {"is_paused": False})

    def is_finished(self) -> bool:
        """Return whether the second DAG has run, or the first will never have it run."""
        return any(run["state"] in OVER for run in self._runs(CONSUMER)) or any(
            run["state"] == "failed" for run in self._runs(PRODUCER)
        )

    def story(self) -> str:
        """Return what became of it, in a sentence."""
        how = ", ".join(f"{run['run_type']}: {run['state']}" for run in self._runs(CONSUMER))
        return f"{PRODUCER} made a model; runs of {CONSUMER} on its asset: {how or 'none'}."

    @property
    def is_right(self) -> bool:
        """Whether the model of the first has answered in the second."""
        return any(
            (run["run_type"], run["state"]) == ("asset_triggered", "success")
            for run in self._runs(CONSUMER)
        )

    def _runs(self, dag_id: str) -> list[dict[str, Any]]:
        runs: list[dict[str, Any]] = (self._api.get(f"/dags/{dag_id}/dagRuns") or {}).get(
            "dag_runs", []
        )
        return runs
