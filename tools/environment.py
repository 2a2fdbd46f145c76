"""Environment variables for the processes that we start."""

from __future__ import annotations

import os
import re

from tools.network import HOST

_FOREIGN = re.compile("AIRFLOW|SNOWFLAKE|PYTHON|XDG_")
"""What the user may have set for another Airflow, Snowflake or Python."""


def clean_environment(*, home: str) -> dict[str, str]:
    """
    Return this process's environment without settings of another Airflow, Snowflake or Python.

    :param home: the home directory, into which the Snowflake driver writes.
    """
    kept = {name: value for name, value in os.environ.items() if not _FOREIGN.match(name)}
    return kept | {"HOME": home, "NO_PROXY": HOST, "no_proxy": HOST}
