"""Airflow's table of XComs, as a trigger uses it."""

import inspect
import json
from types import SimpleNamespace
from typing import Any


class XComs(dict[str, Any]):
    """The XComs of one task instance, with the signatures of the installed Airflow's."""

    of = SimpleNamespace(dag_id="tickets", task_id="wait", run_id="weekly", map_index=-1)
    """The task instance."""

    def __init__(self) -> None:
        super().__init__()
        from airflow.providers.common.compat.sdk import XCom

        self._real = XCom

    def set(self, **arguments: Any) -> None:
        """Keep a value, in the JSON form in which Airflow would."""
        self._check("set", arguments)
        self[arguments["key"]] = json.loads(json.dumps(arguments["value"], allow_nan=False))

    def get_one(self, **arguments: Any) -> Any:
        """Return a kept value."""
        self._check("get_one", arguments)
        return self.get(arguments["key"])

    def _check(self, method: str, arguments: dict[str, Any]) -> None:
        inspect.signature(getattr(self._real, method)).bind(**arguments)
        assert {name: arguments[name] for name in vars(self.of)} == vars(self.of)
