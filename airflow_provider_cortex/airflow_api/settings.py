"""The settings of this package in Airflow's configuration, section ``[cortex]``."""

from __future__ import annotations

import math
from typing import Any

from airflow.providers.common.compat.sdk import conf

from airflow_provider_cortex.airflow_api import compat
from airflow_provider_cortex.provider_info import OPTIONS

SECTION = "cortex"

MIN_REFRESH_SECONDS = 1.0


def batch_size() -> int:
    """Return the most jobs that one statement describes."""
    size: int = conf.getint(SECTION, "batch_size", fallback=_default("batch_size"))
    return max(1, size)


def max_threads() -> int:
    """Return the most calls of Snowflake that a triggerer makes at the same time."""
    threads: int = conf.getint(SECTION, "max_threads", fallback=_default("max_threads"))
    return max(1, threads)


def jobs_page_conn_ids() -> tuple[str, ...]:
    """Return the ids of the connections that the jobs page shows, each once."""
    name = "jobs_page_conn_ids"
    listed = conf.get(SECTION, name, fallback=_default(name)) or ""
    return tuple(dict.fromkeys(part.strip() for part in listed.split(",") if part.strip()))


def jobs_page_refresh_seconds() -> float:
    """
    Return the seconds between two updates of the jobs page.

    :raises ValueError: if the setting is not a finite number.
    """
    name = "jobs_page_refresh_seconds"
    seconds: float = conf.getfloat(SECTION, name, fallback=_default(name))
    if not math.isfinite(seconds):
        raise ValueError(f"[{SECTION}] {name} must be a finite number of seconds; got {seconds}.")
    return max(MIN_REFRESH_SECONDS, seconds)


def poll_seconds_in_tests() -> float | None:
    """Return the seconds of every pause of a wait; None if the wait itself decides."""
    name = "poll_seconds_in_tests"
    is_set = bool(conf.get(SECTION, name, fallback=_default(name)))
    return conf.getfloat(SECTION, name) if is_set else None


def base_url() -> str:
    """Return the address at which browsers find this Airflow; empty if it is not configured."""
    url: str = conf.get(compat.base_url_section(), "base_url", fallback="") or ""
    return url.rstrip("/")


def _default(name: str) -> Any:
    return OPTIONS[name]["default"]
