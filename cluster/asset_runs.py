"""A new model is published as an asset, and the asset starts another DAG: two of the examples."""

from __future__ import annotations

from typing import Any

from tools.rest_api import FINISHED_RUN_STATES, DagRun, RestApi

PRODUCER = "weekly_retraining"
CONSUMER = "answers_on_new_model"


class AssetRuns:
    """The runs of both DAGs. The scheduler starts the first DAG by its schedule."""

    def __init__(self, api: RestApi) -> None:
        self._api = api

    def start(self) -> None:
        """Let the scheduler run both DAGs."""
        for dag_id in CONSUMER, PRODUCER:
            self._api.unpause_dag(dag_id)

    def approve(self) -> None:
        """Approve a new model, if a run of the first DAG asks for it, as a person would."""
        for run in self._runs(PRODUCER):
            DagRun(self._api, f"/dags/{PRODUCER}/dagRuns/{run['dag_run_id']}").approve("approve")

    def have_finished(self) -> bool:
        """Return whether the consumer has run, or never will because the producer failed."""
        return any(run["state"] in FINISHED_RUN_STATES for run in self._runs(CONSUMER)) or any(
            run["state"] == "failed" for run in self._runs(PRODUCER)
        )

    def summary(self) -> str:
        """Return the result in one sentence."""
        runs = ", ".join(f"{run['run_type']}: {run['state']}" for run in self._runs(CONSUMER))
        return f"{PRODUCER} published a model; runs of {CONSUMER} on its asset: {runs or 'none'}."

    @property
    def is_correct(self) -> bool:
        """Whether the asset has started a run of the consumer that succeeded."""
        return any(
            (run["run_type"], run["state"]) == ("asset_triggered", "success")
            for run in self._runs(CONSUMER)
        )

    def _runs(self, dag_id: str) -> list[dict[str, Any]]:
        answer = self._api.get(f"/dags/{dag_id}/dagRuns") or {}
        runs: list[dict[str, Any]] = answer.get("dag_runs", [])
        return runs
