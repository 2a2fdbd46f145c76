"""The settings of a Snowflake session: a connection's id, and what to override in it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from airflow_provider_cortex.cortex import rendered_values, sql

PACKAGE = "airflow-provider-cortex"

MAX_TAG_CHARACTERS = 2000
"""Source: https://docs.snowflake.com/en/sql-reference/parameters#query-tag"""

MAX_ID_CHARACTERS = (250, 100)
"""
Characters of each id in a tag. The first number is Airflow's own limit; with the second one they
fit even if every character is escaped.
"""


@dataclass(frozen=True, kw_only=True)
class SessionSettings:
    """
    All settings of a Snowflake session, the same for hook, worker and triggerer.

    Airflow stores them with the trigger in its database, where users can read them. So they have
    the connection's id, and never its content.

    :raises UnsupportedValueError: if a setting cannot be sent to Snowflake.
    """

    snowflake_conn_id: str = "snowflake_default"
    warehouse: str | None = None
    database: str | None = None
    schema: str | None = None
    role: str | None = None
    authenticator: str | None = None
    session_parameters: Mapping[str, Any] | None = None
    query_tag: str | None = None
    """Snowflake's ``QUERY_TAG``, unless the session parameters have one."""

    def __post_init__(self) -> None:
        for name, value in self.to_dict().items():
            if name == "session_parameters":
                plain = json.loads(sql.json_text(name, value))
            else:
                plain = rendered_values.text(name, value)
            object.__setattr__(self, name, plain)

    def to_dict(self) -> dict[str, Any]:
        """Return the settings that are not None, for JSON and ``SessionSettings(**settings)``."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    def shared(self) -> SessionSettings:
        """Return the same settings with a tag for statements that serve many tasks at once."""
        return replace(self, query_tag=json.dumps({"package": PACKAGE}))

    @property
    def shared_key(self) -> str:
        """What is the same for all tasks that may share a session."""
        return json.dumps(self.shared().to_dict(), sort_keys=True)


def query_tag(*, dag_id: str, task_id: str, run_id: str | None) -> str:
    """Return the tag that names a task in Snowflake's query history, as JSON."""
    ids = {"dag_id": dag_id, "task_id": task_id, "run_id": run_id}
    tag = ""
    for longest in MAX_ID_CHARACTERS:
        short = {name: text and text[:longest] for name, text in ids.items()}
        # Escaped, a non-ASCII letter would take six characters.
        tag = json.dumps({"package": PACKAGE, **short}, ensure_ascii=False)
        if len(tag) <= MAX_TAG_CHARACTERS:
            break
    return tag
