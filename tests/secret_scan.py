"""The secret scan: what tests leave where people can read it must not contain a secret."""

import logging
import sys
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

PASSWORD = "kR7vQ2xLm9Zt4Bn8JcWd"
"""The connection's password in tests; JSON, URLs and repr() do not change its letters."""

TOKEN = "hY5sG3fPe1Ua6NiTo0Xb"
"""The token or key of a connection in tests."""

LOGS, OUTPUT, XCOMS = "logs", "output", "XComs"
FIELDS, TRIGGERS, EVENTS, ERRORS = "template fields", "triggers", "events", "errors"

_MASKERS = (
    "airflow.utils.log.secrets_masker",  # Airflow 2
    "airflow.sdk.execution_time.secrets_masker",  # Airflow 3.0
    "airflow._shared.secrets_masker.secrets_masker",
    "airflow.sdk._shared.secrets_masker.secrets_masker",
)


@dataclass
class Leftovers:
    """What one test has left in places where people can read it."""

    expected: set[str] = field(default_factory=set)
    """Places where a secret is expected: for tests of this scan."""
    _texts: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def forget(self) -> None:
        """Start again, for the next test."""
        self.expected = set()
        self._texts.clear()

    def leave(self, place: str, text: str) -> None:
        """Remember that *text* can be read in *place*."""
        self._texts[place].append(text)

    def leaks(self) -> dict[str, str]:
        """Return the places that contain a secret, each with the text around it."""
        return {
            place: text[max(0, at - 200) : at + 200]
            for place, texts in self._texts.items()
            for text in reversed(texts)
            for secret in (PASSWORD, TOKEN)
            if (at := text.find(secret)) >= 0
        }

    def record(self, *arguments: Any, **options: Any) -> logging.LogRecord:
        """Make a log record, as logging does, and remember what it says."""
        record = logging.LogRecord(*arguments, **options)
        try:
            self.leave(LOGS, record.getMessage())
        except (TypeError, ValueError):  # the handlers will report it
            self.leave(LOGS, f"{record.msg} {record.args}")
        if record.exc_info:
            self.leave(LOGS, logging.Formatter().formatException(record.exc_info))
        return record


leftovers = Leftovers()
"""Those of the running test."""


def chain(error: BaseException | None) -> str:
    """Return what Airflow would log of an error: it and all its causes."""
    errors: list[BaseException] = []
    while error is not None and error not in errors:
        errors.append(error)
        error = error.__cause__ or error.__context__
    return " < ".join(f"{one!r} {one}" for one in errors)


def maskers() -> list[type]:
    """Return the classes by which Airflow masks the secrets that it knows."""
    return [vars(sys.modules[name])["SecretsMasker"] for name in _MASKERS if name in sys.modules]
