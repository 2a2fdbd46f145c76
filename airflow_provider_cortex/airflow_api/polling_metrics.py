"""
The metrics of polling, sent by workers and triggerers in every mode.

Airflow sends them as its ``[metrics]`` settings say. All carry the tag ``conn_id``.
"""

from __future__ import annotations

import socket
from datetime import timedelta

# Imported here: in the event loop, the import would wait for a thread that imports the same.
from airflow.providers.common.compat.sdk import Stats


def statement(seconds: float, *, jobs: int, conn_id: str) -> None:
    """
    Count a statement, successful or not, its duration, and the jobs that it describes.

    ``cortex.statements`` and ``cortex.polls``, counters; ``cortex.statement_duration``, a timer;
    ``cortex.batch_size``, a gauge.
    """
    tags = {"conn_id": conn_id}
    Stats.incr("cortex.statements", tags=tags)
    Stats.timing("cortex.statement_duration", timedelta(seconds=seconds), tags=tags)
    if jobs:
        Stats.incr("cortex.polls", jobs, tags=tags)
        Stats.gauge("cortex.batch_size", jobs, tags=tags)


def transient_error(*, conn_id: str) -> None:
    """Count a transient error, once for all jobs of a statement: ``cortex.transient_errors``."""
    Stats.incr("cortex.transient_errors", tags={"conn_id": conn_id})


def jobs_waiting(jobs: int, *, conn_id: str) -> None:
    """
    Report how many jobs this triggerer waits for: ``cortex.jobs_waiting``, a gauge.

    It also carries the tag ``hostname``, since there may be several triggerers.
    """
    tags = {"conn_id": conn_id, "hostname": socket.gethostname()}
    Stats.gauge("cortex.jobs_waiting", jobs, tags=tags)
