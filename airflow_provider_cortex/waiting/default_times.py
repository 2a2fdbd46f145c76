"""The times of a wait that tasks have as defaults: apart, since a DAG file reads no more of it."""

from __future__ import annotations

MIN_INTERVAL = 60.0
"""Shortest pause between two polls, in seconds."""

DEFAULT_MAX_INTERVAL = 300.0
"""Longest pause between two polls, in seconds, unless an expected duration allows a longer one."""

DEFAULT_CONTACT_TIMEOUT = 15 * 60.0
"""Seconds to keep retrying through transient errors."""

POLL_TIMEOUT_SECONDS = 60
"""How long the driver tries one poll: a poll that hangs has failed."""
