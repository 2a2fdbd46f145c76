"""The driver's pauses between its tries of a request: they count, but hardly take time."""

from snowflake.connector.time_util import TimeoutBackoffCtx

PAUSE = 0.05
"""Seconds that a pause really takes: a driver whose tries never end leaves time for others."""


def shorten() -> None:
    """
    Let the driver begin its next try soon, and count the pause as if it had waited.

    So it gives up after as many tries as with the pauses, which begin with a second.
    """
    increment = TimeoutBackoffCtx.increment

    def count_and_increment(tries: TimeoutBackoffCtx) -> None:
        clock = vars(tries)  # the driver's own, which it keeps private
        if clock["_start_time_millis"] is not None:
            clock["_start_time_millis"] -= int(1000 * clock["_current_sleep_time"])
        increment(tries)

    TimeoutBackoffCtx.increment = count_and_increment  # type: ignore[assignment,method-assign]
    TimeoutBackoffCtx.current_sleep_time = PAUSE  # type: ignore[assignment,method-assign]
