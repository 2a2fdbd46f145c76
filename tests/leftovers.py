"""What tests leave where people can read it, and the secrets that must not be in it."""

import logging
import sys
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

PASSWORD = "kR7vQ2xLm9Zt4Bn8JcWd"
"""Of the connection that tests use: nothing in JSON, in a URL or in repr() would write it otherwise."""

TOKEN = "hY5sG3fPe1Ua6NiTo0Xb"
"""What tests put where a connection has a token or a key."""

LOGS, OUTPUT, XCOMS = "logs", "output", "XComs"
FIELDS, TRIGGERS, EVENTS, ERRORS = "template fields", "triggers", "events", "errors"

_MASKERS = (
    "airflow.utils.log.secrets_masker",  # Airflow 2
    "airflow._shared.secrets_masker.secrets_masker",
    "airflow.sdk._shared.secrets_masker.secrets_masker",
)


@dataclass
class Leftovers:
    """What one test has left, by place."""

    expected: set[str] = field(default_factory=set)
    """Places in which a secret is to be found: for tests of this search."""
    _texts: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def forget(self) -> None:
        """Begin anew, for the next test."""
        self.expected = set()
        self._texts.clear()

    def leave(self, place: str, text: str) -> None:
        """Remember that *text* can be read in *place*."""
        self._texts[place].append(text)

    def leaks(self) -> dict[str, str]:
        """Return the places in which there is a secret, each with the text around the first one."""
        return {
            place: text[max(0, at - 200) : at + 200]
            for place, texts in self._texts.items()
            for text in reversed(texts)
            for secret in (PASSWORD, TOKEN)
            if (at := text.find(secret)) >= 0
        }

    def record(self, *arguments: Any, **options: Any) -> logging.LogRecord:
        """Make a log record, as logging would, and remember what it says."""
        record = logging.LogRecord(*arguments, **options)
        try:
            self.leave(LOGS, record.getMessage())
        except (TypeError, ValueError):  # which the handlers will tell
            self.leave(LOGS, f"{record.msg} {record.args}")
        if record.exc_info:
            self.leave(LOGS, logging.Formatter().formatException(record.exc_info))
        return record


leftovers = Leftovers()
"""Those of the test that runs."""


def chain(error: BaseException | None) -> str:
    """Return what Airflow would log of an error: it and all that led to it."""
    told: list[BaseException] = []
    while error is not None and error not in told:
        told.append(error)
        error = error.__cause__ or error.__context__
    return " < ".join(f"{one!r} {one}" for one in told)


def maskers() -> list[type]:
    """Return the classes by which Airflow hides the secrets that it knows of."""
    return [vars(sys.modules[name])["SecretsMasker"] for name in _MASKERS if name in sys.modules]
