"""Which Snowflake session a call runs in: a connection's id, and what to change in it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from airflow_provider_cortex.cortex import sql

PACKAGE = "airflow-provider-cortex"

LONGEST_TAG = 2000
"""Characters: https://docs.snowflake.com/en/sql-reference/parameters#query-tag."""

LONGEST_IDS = (250, 100)
"""Characters of each id in a tag: as many as Airflow allows, or so few that they fit however they are escaped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionSettings:
    """
    The settings of a Snowflake session, whole: what worker, hook and triggerer all go by.

    They are written into Airflow's database with the trigger, where they can be read: so they name
    the connection and never hold what is in it.

    :raises UnsupportedValueError: if no login could tell Snowflake a setting as it is.
    """

    snowflake_conn_id: str = "snowflake_default"
    warehouse: str | None = None
    database: str | None = None
    schema: str | None = None
    role: str | None = None
    authenticator: str | None = None
    session_parameters: Mapping[str, Any] | None = None
    query_tag: str | None = None
    """Snowflake's ``QUERY_TAG``, unless the session parameters have one of their own."""

    def __post_init__(self) -> None:
        for name, value in self.to_dict().items():
            if name == "session_parameters":
                plain = json.loads(sql.json_text(name, value))
            else:
                plain = sql.text(name, value)
            object.__setattr__(self, name, plain)

    def to_dict(self) -> dict[str, Any]:
        """Return the settings that are set, ready for JSON and for ``SessionSettings(**settings)``."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    def shared(self) -> SessionSettings:
        """Return the same settings, tagged for statements that are sent for many tasks at once."""
        return replace(self, query_tag=json.dumps({"package": PACKAGE}))


def query_tag(*, dag_id: str, task_id: str, run_id: str | None) -> str:
    """Return the tag by which Snowflake's query history names the task that asked, as JSON."""
    ids = {"dag_id": dag_id, "task_id": task_id, "run_id": run_id}
    tag = ""
    for longest in LONGEST_IDS:
        short = {name: text and text[:longest] for name, text in ids.items()}
        # Other letters than ASCII as they are: escaped, each would take six characters.
        tag = json.dumps({"package": PACKAGE, **short}, ensure_ascii=False)
        if len(tag) <= LONGEST_TAG:
            break
    return tag
