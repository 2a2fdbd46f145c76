"""Past jobs of an account: models that were trained every week, one failure, one cancellation."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from contextlib import closing

import snowflake.connector

from airflow_provider_cortex.emulator import Emulator, Life

DAY = 24 * 3600.0
WEEKS = 9

TOPICS = {
    "billing": "invoice charged refund card receipt price",
    "login": "password reset locked account code email",
    "delivery": "parcel late courier address lost tracking",
    "returns": "broken exchange size label box warranty",
}

URGENCIES = ("normal",) * 6 + ("urgent",)


class AdjustableClock:
    """A clock that can be set to another time."""

    def __init__(self) -> None:
        self.offset = 0.0
        """Seconds that are added to the real time."""

    def time(self) -> float:
        """Return the time, epoch seconds."""
        return time.time() + self.offset


def run_past_jobs(emulator: Emulator, clock: AdjustableClock) -> None:
    """Run jobs in *emulator* whose dates are in the past."""
    with closing(snowflake.connector.connect(**emulator.connect_arguments)) as session:
        cursor = session.cursor()
        _create_tables(cursor)
        for week in range(WEEKS):
            clock.offset = (week - WEEKS) * 7 * DAY
            emulator.life = Life.by_time(1200 + 90 * week)
            _train(cursor, "ticket_triage", f"tickets WHERE week <= {week}")
            if week % 2:
                emulator.life = Life.by_time(2400)
                _train(cursor, "mail_router", f"mails WHERE week <= {week}", "mistral-7b")
        clock.offset = -5 * DAY
        _train(cursor, "ticket_triage", "tickets WHERE weak <= 8")  # misspelled: this job fails
        clock.offset = -4 * DAY
        emulator.jobs.cancel(_train(cursor, "ticket_triage", "tickets", "llama3.1-70b"))
    clock.offset = 0.0


def make_tickets(number: int, seed: int) -> Iterator[tuple[str, str]]:
    """Yield made-up support tickets and their labels. Some are hard to classify."""
    draw = random.Random(seed)  # noqa: S311 - the same tickets every time
    for _ in range(number):
        topic = draw.choice(list(TOPICS))
        about = draw.choice([topic, topic, draw.choice(list(TOPICS))])
        words = [draw.choice(TOPICS[name].split()) for name in (topic, about)]
        prompt = f"my {' '.join(words)} {draw.choice(['is', 'was'])}"
        yield prompt, f"{topic} {draw.choice(URGENCIES)}"


def _create_tables(cursor: snowflake.connector.cursor.SnowflakeCursor) -> None:
    for table, size, seed in (
        ("tickets", 12 * WEEKS, 1),
        ("mails", 20 * WEEKS, 3),
        ("held_out", 100, 99),
    ):
        cursor.execute(f"CREATE TABLE {table} (week INT, prompt TEXT, completion TEXT)")
        rows = [(n % WEEKS, *pair) for n, pair in enumerate(make_tickets(size, seed))]
        cursor.executemany(f"INSERT INTO {table} VALUES (%s, %s, %s)", rows)  # noqa: S608 - our own names


def _train(
    cursor: snowflake.connector.cursor.SnowflakeCursor,
    model: str,
    data: str,
    base_model: str = "llama3.1-8b",
) -> str:
    """Start a job; return its id."""
    select = "SELECT prompt, completion FROM "
    cursor.execute(
        "SELECT SNOWFLAKE.CORTEX.FINETUNE('CREATE', %s, %s, %s, %s)",
        (model, base_model, select + data, select + "held_out"),
    )
    (answer,) = cursor.fetchall()
    return str(answer[0]).strip('"')
