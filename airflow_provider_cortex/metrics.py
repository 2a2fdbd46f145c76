"""
What Airflow's metrics tell of looking at jobs: in every mode, by worker and triggerer alike.

Airflow sends them wherever its ``[metrics]`` settings say. All carry the tag ``conn_id``.
"""

from __future__ import annotations

import socket
from datetime import timedelta
from typing import Any


def polls(jobs: int, *, conn_id: str) -> None:
    """
    Count the looks that one statement takes at *jobs* jobs.

    ``cortex.polls``, a counter; ``cortex.batch_size``, a gauge.
    """
    stats = _stats()
    stats.incr("cortex.polls", jobs, tags={"conn_id": conn_id})
    stats.gauge("cortex.batch_size", jobs, tags={"conn_id": conn_id})


def statement(seconds: float, *, conn_id: str) -> None:
    """
    Count a statement, whatever came of it, and the time until then.

    ``cortex.statements``, a counter; ``cortex.statement_duration``, a timer.
    """
    stats = _stats()
    stats.incr("cortex.statements", tags={"conn_id": conn_id})
    duration = timedelta(seconds=seconds)
    stats.timing("cortex.statement_duration", duration, tags={"conn_id": conn_id})


def transient_error(*, conn_id: str) -> None:
    """Count trouble that passes, once for however many jobs: ``cortex.transient_errors``, a counter."""
    _stats().incr("cortex.transient_errors", tags={"conn_id": conn_id})


def jobs_waiting(jobs: int, *, conn_id: str) -> None:
    """
    Tell for how many jobs this triggerer waits: ``cortex.jobs_waiting``, a gauge.

    There may be several triggerers: it carries the tag ``hostname``, too.
    """
    tags = {"conn_id": conn_id, "hostname": socket.gethostname()}
    _stats().gauge("cortex.jobs_waiting", jobs, tags=tags)


def _stats() -> Any:  # whose type is another one in each release of Airflow
    from airflow.providers.common.compat.sdk import Stats

    return Stats
