"""When a job may end, by what is known of it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from airflow_provider_cortex.cortex.job import FineTuneJob

SPREAD = 0.15
"""By what share a job may take longer, or less long, than the run before it. A guess."""

LEAD = 0.9
"""
What share of the time that epochs of equal length would take is certain to pass. Less than all of it:
they are not quite equal, and a job may have waited before the first. A guess.
"""

MOST_EPOCHS = 10
"""Source: https://docs.snowflake.com/sql-reference/functions/finetune-create"""

BLUR = 0.005
"""How far the reported progress may be off the fraction that it means: 0.333 is a third."""


@dataclass(frozen=True, slots=True)
class Window:
    """The ages, in seconds since it was created, at which a job may end."""

    opens: float
    closes: float

    def __and__(self, other: Window) -> Window | None:
        """Return the ages that are in both: None if there are none."""
        opens, closes = max(self.opens, other.opens), min(self.closes, other.closes)
        return Window(opens, closes) if opens <= closes else None

    def probably_left(self, age: float) -> float:
        """Return the seconds that a job of *age* may still take, the window being open or closed."""
        if age < self.closes:
            return (self.closes - age) / 2  # each moment of the rest is as likely
        return age - self.closes  # as is usual: what has been late for long will be for long


UNKNOWN = Window(0.0, 0.0)
"""What to go by when nothing is known: what has run for long will run for long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """
    When the job came to the progress that it reports, as closely as looks tell: epoch seconds.

    Without an argument it tells nothing: so it is for a triggerer that takes a wait over, until the
    next step.
    """

    after: float = -math.inf
    """The last look before."""
    by: float = math.inf
    """The first look that saw it."""


UNSEEN = Step()


def expected(seconds: float | None) -> Window | None:
    """Return when a job ends that takes about *seconds*: None if no job takes so long, or nobody knows."""
    if seconds is None or not 0 < seconds < math.inf:
        return None
    return Window(seconds * (1 - SPREAD), seconds * (1 + SPREAD))


def reported(job: FineTuneJob | None, *, began: float, age: float, step: Step) -> Window | None:
    """
    Return when the job ends if it goes on as its progress says: None if that says nothing.

    Progress comes in steps, one for each epoch: it says how many epochs are over, and when the last of
    them was over only if a look before it and one after it were close.
    """
    if job is None or not job.progress:
        return None
    after = max(0.0, step.after - began)
    by = min(age, max(0.0, step.by - began))
    epochs = _epochs(job.progress)
    if epochs is None:  # it moves smoothly
        return Window(LEAD * by / job.progress, by / job.progress)
    done = round(job.progress * epochs)
    # Should the epoch that is under way be over this moment, they all take age / (done + 1).
    opens = LEAD * max(age * epochs / (done + 1), after / job.progress)
    return Window(opens, by / job.progress)


def _epochs(progress: float) -> int | None:
    """Return the least number of epochs of which *progress* is a whole number: None if none is."""
    return next(
        (
            epochs
            for epochs in range(1, MOST_EPOCHS + 1)
            if (done := round(progress * epochs)) and abs(progress - done / epochs) <= BLUR
        ),
        None,
    )
