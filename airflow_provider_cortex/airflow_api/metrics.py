"""
What Airflow's metrics tell of looking at jobs: in every mode, by worker and triggerer alike.

Airflow sends them wherever its ``[metrics]`` settings say. All carry the tag ``conn_id``.
"""

from __future__ import annotations

import socket
from datetime import timedelta

# Here, since an import in the triggerer's event loop waits for whoever is importing the same in a thread.
from airflow.providers.common.compat.sdk import Stats


def polls(jobs: int, *, conn_id: str) -> None:
    """
    Count the looks that one statement takes at *jobs* jobs.

    ``cortex.polls``, a counter; ``cortex.batch_size``, a gauge.
    """
    Stats.incr("cortex.polls", jobs, tags={"conn_id": conn_id})
    Stats.gauge("cortex.batch_size", jobs, tags={"conn_id": conn_id})


def statement(seconds: float, *, conn_id: str) -> None:
    """
    Count a statement, whatever came of it, and the time until then.

    ``cortex.statements``, a counter; ``cortex.statement_duration``, a timer.
    """
    Stats.incr("cortex.statements", tags={"conn_id": conn_id})
    duration = timedelta(seconds=seconds)
    Stats.timing("cortex.statement_duration", duration, tags={"conn_id": conn_id})


def transient_error(*, conn_id: str) -> None:
    """Count trouble that passes, once for however many jobs: ``cortex.transient_errors``, a counter."""
    Stats.incr("cortex.transient_errors", tags={"conn_id": conn_id})


def jobs_waiting(jobs: int, *, conn_id: str) -> None:
    """
    Tell for how many jobs this triggerer waits: ``cortex.jobs_waiting``, a gauge.

    There may be several triggerers: it carries the tag ``hostname``, too.
    """
    tags = {"conn_id": conn_id, "hostname": socket.gethostname()}
    Stats.gauge("cortex.jobs_waiting", jobs, tags=tags)
