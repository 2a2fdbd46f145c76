"""A client for Airflow's REST API, with the requests that we need."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import httpx

PAGE_SIZE = 100
"""How many entries Airflow returns at most."""

FINISHED_RUN_STATES = frozenset({"success", "failed"})
FINISHED_TASK_STATES = frozenset({"success", "failed", "skipped", "upstream_failed", "removed"})


class RestApi:
    """
    A connection to an API server. The server need not be running yet.

    :param root: the path that all requests start with.
    """

    def __init__(self, url: str, *, root: str = "/api/v2") -> None:
        self._url = url
        self._http = httpx.Client(base_url=url + root, timeout=20, trust_env=False)

    def close(self) -> None:
        """Close all connections."""
        self._http.close()

    def sign_in(self, user: str, password: str) -> None:
        """Send all later requests as *user*."""
        credentials = {"username": user, "password": password}
        self._use_token(self._http.post(f"{self._url}/auth/token", json=credentials))

    def sign_in_as_admin(self) -> None:
        """Send all later requests as an admin, where all users are: Airflow 3.1 asks even them."""
        self._use_token(self._http.get(f"{self._url}/auth/token"))

    def _use_token(self, response: httpx.Response) -> None:
        token = response.raise_for_status().json()["access_token"]
        self._http.headers["Authorization"] = f"Bearer {token}"

    def get(self, path: str) -> Any | None:
        """Return the response, or None if the server or the path is not there."""
        try:
            response = self._http.get(path)
        except httpx.TransportError:
            return None
        return response.json() if response.is_success else None

    def post(self, path: str, body: Mapping[str, Any]) -> None:
        self._http.post(path, json=body).raise_for_status()

    def patch(self, path: str, body: Mapping[str, Any]) -> None:
        self._http.patch(path, json=body).raise_for_status()

    def unpause_dag(self, dag_id: str) -> None:
        """Let the scheduler run the DAG."""
        self.patch(f"/dags/{dag_id}", {"is_paused": False})

    def start_run(
        self, dag_id: str, run_id: str, *, conf: Mapping[str, Any] | None = None
    ) -> DagRun:
        """Start a run of the DAG."""
        body = {"dag_run_id": run_id, "logical_date": None, "conf": conf or {}}
        self.post(f"/dags/{dag_id}/dagRuns", body)
        return DagRun(self, f"/dags/{dag_id}/dagRuns/{run_id}")


@dataclass(frozen=True)
class DagRun:
    """A run of a DAG."""

    api: RestApi
    path: str

    def final_state(self) -> str | None:
        """Return the run's state, or None if the run has not finished."""
        run = self.api.get(self.path)
        return run["state"] if run and run["state"] in FINISHED_RUN_STATES else None

    def task_states(self) -> dict[str, str]:
        """Return the state of every task instance that has one, by its name."""
        return {
            _name(task): task["state"]
            for task in sorted(self.task_instances(), key=_name)
            if task["state"]
        }

    def task_instances(self) -> Iterator[dict[str, Any]]:
        """Yield every task instance as Airflow describes it."""
        offset, total = 0, 1
        while offset < total:
            path = f"{self.path}/taskInstances?limit={PAGE_SIZE}&offset={offset}"
            page = self.api.get(path) or {}
            yield from page.get("task_instances", ())
            offset, total = offset + PAGE_SIZE, page.get("total_entries", 0)

    def approve(self, task_id: str) -> bool:
        """
        Approve, as a person would, if an ``ApprovalOperator`` asks for it.

        :return: whether it has just been approved.
        """
        path = f"{self.path}/taskInstances/{task_id}/-1/hitlDetails"
        question = self.api.get(path)
        if not question or question["response_received"]:
            return False
        self.api.patch(path, {"chosen_options": ["Approve"], "params_input": {}})
        return True

    def xcom(self, task_id: str, key: str = "return_value", *, map_index: int = -1) -> Any:
        """Return the value of an XCom, or None if there is none."""
        entry = self.api.get(
            f"{self.path}/taskInstances/{task_id}/xcomEntries/{key}?map_index={map_index}"
        )
        return entry["value"] if entry else None


def _name(task: dict[str, Any]) -> str:
    name: str = task["task_id"]
    return name if task["map_index"] < 0 else f"{name} [{task['map_index']}]"
