"""Airflow's REST API, as far as the demo needs it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import httpx

PAGE = 100
"""The most that Airflow gives at once."""


class Api:
    """
    What to ask an api-server, which may not be up yet.

    :param root: where what is asked for is, behind *url*.
    """

    def __init__(self, url: str, *, root: str = "/api/v2") -> None:
        self._url = url
        self._http = httpx.Client(base_url=url + root, timeout=20, trust_env=False)

    def close(self) -> None:
        """End the connections that are open."""
        self._http.close()

    def sign_in(self, user: str, password: str) -> None:
        """Ask as this user from now on; where everybody is an admin, nobody need sign in."""
        who = {"username": user, "password": password}
        answer = self._http.post(f"{self._url}/auth/token", json=who).raise_for_status()
        self._http.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"

    def get(self, path: str) -> Any | None:
        """Return the answer; None if there is none: no server yet, or nothing by this path."""
        try:
            response = self._http.get(path)
        except httpx.TransportError:
            return None
        return response.json() if response.is_success else None

    def post(self, path: str, body: Mapping[str, Any]) -> None:
        self._http.post(path, json=body).raise_for_status()

    def patch(self, path: str, body: Mapping[str, Any]) -> None:
        self._http.patch(path, json=body).raise_for_status()

    def start_run(self, dag_id: str, run_id: str, *, conf: Mapping[str, Any] | None = None) -> Run:
        """Start a run of the DAG."""
        run = {"dag_run_id": run_id, "logical_date": None, "conf": conf or {}}
        self.post(f"/dags/{dag_id}/dagRuns", run)
        return Run(self, f"/dags/{dag_id}/dagRuns/{run_id}")


@dataclass(frozen=True)
class Run:
    """A run of a DAG."""

    api: Api
    path: str

    @property
    def state(self) -> str | None:
        run = self.api.get(self.path)
        return run["state"] if run else None

    def tasks(self) -> dict[str, str]:
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
            answer = self.api.get(f"{self.path}/taskInstances?limit={PAGE}&offset={offset}") or {}
            yield from answer.get("task_instances", ())
            offset, total = offset + PAGE, answer.get("total_entries", 0)

    def xcom(self, task_id: str, key: str = "return_value", *, map_index: int = -1) -> Any:
        entry = self.api.get(
            f"{self.path}/taskInstances/{task_id}/xcomEntries/{key}?map_index={map_index}"
        )
        return entry["value"] if entry else None


def _name(task: dict[str, Any]) -> str:
    name: str = task["task_id"]
    return name if task["map_index"] < 0 else f"{name} [{task['map_index']}]"
