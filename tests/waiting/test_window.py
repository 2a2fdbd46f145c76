"""When a job may end."""

import math
from dataclasses import astuple

import pytest

from airflow_provider_cortex.cortex.job import FineTuneJob
from airflow_provider_cortex.waiting.window import (
    LEAD,
    UNSEEN,
    Step,
    Window,
    expected,
    reported,
)

BEGAN = 1000.0


def window(
    progress: float | None, *, age: float = 900.0, step: Step = UNSEEN
) -> tuple[float, ...] | None:
    """Return the window of a job that began at 1000 and has come to *progress*."""
    job = FineTuneJob.parse({"id": "ft_1", "status": "IN_PROGRESS", "progress": progress})
    found = reported(job, began=BEGAN, age=age, step=step)
    return None if found is None else astuple(found)


def seen(after: float, by: float) -> Step:
    """Return the step between two looks, at those ages of the job."""
    return Step(after=BEGAN + after, by=BEGAN + by)


@pytest.mark.parametrize(
    ("other", "both"),
    [
        (Window(0, 100), Window(10, 50)),
        (Window(20, 60), Window(20, 50)),
        (Window(50, 60), Window(50, 50)),
        (Window(51, 60), None),
    ],
)
def test_what_two_windows_share(other: Window, both: Window | None) -> None:
    """Of two windows the ages count that are in both: one age may be all of them, or there is none."""
    assert Window(10, 50) & other == other & Window(10, 50) == both


def test_what_is_probably_left() -> None:
    """An open window is half over, on average; a job that is late will be for as long again."""
    assert Window(10, 50).probably_left(5) == 22.5
    assert Window(10, 50).probably_left(40) == 5
    assert Window(10, 50).probably_left(50) == 0
    assert Window(10, 50).probably_left(80) == 30


def test_expected_duration() -> None:
    """A job takes about as long as is expected, be that less than a second."""
    assert astuple(expected(100) or UNSEEN) == pytest.approx((85, 115))
    assert expected(0.5) is not None


@pytest.mark.parametrize("seconds", [None, 0, -1, math.inf, math.nan])
def test_no_expectation(seconds: float | None) -> None:
    """Of a duration that no job has nothing follows."""
    assert expected(seconds) is None


@pytest.mark.parametrize("progress", [None, 0])
def test_no_progress(progress: float | None) -> None:
    """Without progress nothing is known of the end."""
    assert window(progress) is None
    assert reported(None, began=BEGAN, age=900, step=UNSEEN) is None


def test_progress_that_moves_smoothly() -> None:
    """Progress that is no number of epochs says how much of the time is over: as of the look that saw it."""
    assert window(0.47, age=500, step=seen(after=400, by=470)) == pytest.approx((LEAD * 1000, 1000))
    assert window(0.47, age=470) == pytest.approx((LEAD * 1000, 1000))


def test_progress_in_epochs() -> None:
    """The first of three epochs was over between two looks: three take three times as long as it."""
    assert window(0.333, age=900, step=seen(after=600, by=660)) == pytest.approx(
        (LEAD * 1800, 1980), rel=0.01
    )


def test_epoch_that_takes_its_time() -> None:
    """For as long as the second of three epochs is not over, two of them take longer than that."""
    assert window(0.333, age=1250, step=seen(after=600, by=660)) == pytest.approx(
        (LEAD * 1250 * 3 / 2, 1980), rel=0.01
    )


@pytest.mark.parametrize(
    ("progress", "epochs", "done"),
    [(1, 1, 1), (0.5, 2, 1), (0.667, 3, 2), (0.6, 5, 3), (0.1, 10, 1), (0.9, 10, 9)],
)
def test_number_of_epochs(progress: float, epochs: int, done: int) -> None:
    """The least number of epochs is assumed that the progress may be a part of, ten at the most."""
    opens, closes = window(progress, age=900) or ()
    assert opens == pytest.approx(LEAD * 900 * epochs / (done + 1))
    assert closes == pytest.approx(900 / progress)


def test_no_eleventh_epoch() -> None:
    """A job has no more than ten epochs: a smaller part than that of one moves smoothly."""
    assert window(0.09, age=90) == pytest.approx((LEAD * 1000, 1000))


def test_clocks_that_differ() -> None:
    """A look that comes before the job began, by another clock, comes as it began."""
    assert window(0.5, age=0, step=seen(after=-200, by=-100)) == (0, 0)
    assert window(0.47, age=500, step=seen(after=-200, by=-100)) == (0, 0)
