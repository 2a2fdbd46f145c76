"""The smallest tasks of the base classes in ``airflow_api/compat.py``."""

from collections.abc import Callable
from typing import Any

from airflow_provider_cortex.airflow_api import compat


class Templated(compat.SqlFileTemplates):
    """An operator of which one field may name a file."""

    template_fields = ("query", "name")
    template_ext = (".sql",)
    sql_fields = ("query",)

    def __init__(self, *, query: str, name: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.query, self.name = query, name


class Resumed(compat.Resumable):
    """An operator that returns how it was resumed."""

    def execute_complete(self, context: Any, event: object = None) -> Any:
        """Return the event."""
        return event

    def deferral_timed_out(self, context: Any) -> Any:
        """Return a word for it."""
        return "timed out"

    def trigger_crashed(self, context: Any, reason: str) -> Any:
        """Return the reason."""
        return f"crashed: {reason}"


class Sensor(compat.PokeLoop):
    """A sensor that succeeds at its third poke."""

    pokes = 0

    def poke(self, context: Any) -> bool:
        """Count."""
        self.pokes += 1
        return self.pokes == 3

    def next_pause(self, fixed: Callable[[], float]) -> float:
        """Keep what Airflow would choose, and do not sleep."""
        self.chosen = fixed()
        return 0.0
