"""What Airflow's configuration says to this package, in its section ``[cortex]``."""

from __future__ import annotations

import math

from airflow.providers.common.compat.sdk import conf

SECTION = "cortex"

BATCH_SIZE = 200
"""The most jobs in one statement, unless ``batch_size`` says otherwise."""

JOBS_PAGE_CONN_IDS = "snowflake_default"
"""The connections that the jobs page looks through, unless ``jobs_page_conn_ids`` says otherwise."""

JOBS_PAGE_REFRESH_SECONDS = 15.0
"""For how long what the jobs page knows is new enough, unless ``jobs_page_refresh_seconds`` says otherwise."""

SOONEST = 1.0
"""The least that may be, in seconds."""


def batch_size() -> int:
    """Return how many jobs to ask for in one statement at the most."""
    size: int = conf.getint(SECTION, "batch_size", fallback=BATCH_SIZE)
    return max(1, size)


def jobs_page_conn_ids() -> tuple[str, ...]:
    """Return the ids of the connections that the jobs page looks through, each once."""
    listed = conf.get(SECTION, "jobs_page_conn_ids", fallback=JOBS_PAGE_CONN_IDS) or ""
    return tuple(dict.fromkeys(name.strip() for name in listed.split(",") if name.strip()))


def jobs_page_refresh_seconds() -> float:
    """
    Return for how many seconds what the jobs page knows is new enough.

    :raises ValueError: if it is no such number.
    """
    seconds: float = conf.getfloat(
        SECTION, "jobs_page_refresh_seconds", fallback=JOBS_PAGE_REFRESH_SECONDS
    )
    if not math.isfinite(seconds):
        message = (
            f"[{SECTION}] jobs_page_refresh_seconds must be a number of seconds, and is {seconds}."
        )
        raise ValueError(message)
    return max(SOONEST, seconds)
