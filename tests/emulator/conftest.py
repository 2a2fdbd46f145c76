import contextlib

import pytest
import snowflake.connector

TICKETS = [
    ("Where is my parcel?", "shipping"),
    ("The parcel arrived broken", "shipping"),
    ("My invoice shows the wrong amount", "billing"),
    ("Please send the invoice again", "billing"),
    ("The app crashes when I log in", "bug"),
]


@pytest.fixture
def connect(cortex_emulator):
    """Open sessions by the unmodified driver; those left open are closed."""
    with contextlib.ExitStack() as stack:

        def connect(emulator=cortex_emulator, **changes):
            session = snowflake.connector.connect(**emulator.connect_arguments | changes)
            return stack.enter_context(contextlib.closing(session))

        yield connect


@pytest.fixture
def cell(connect):
    """Run a statement in one session, and return its only value."""
    session = connect()

    def cell(sql, *values, session=session):
        ((value,),) = session.cursor().execute(sql, values or None).fetchall()
        return value

    return cell


@pytest.fixture
def finetune(cell):
    """Call FINETUNE with bound values."""

    def finetune(*values):
        placeholders = ", ".join(["%s"] * len(values))
        return cell(f"SELECT SNOWFLAKE.CORTEX.FINETUNE({placeholders})", *values)

    return finetune


@pytest.fixture
def tickets(connect):
    """Fill a table TICKETS to train on, and return the query that selects from it."""
    cursor = connect().cursor()
    cursor.execute("CREATE TABLE tickets (request VARCHAR, label VARCHAR)")
    cursor.executemany("INSERT INTO tickets VALUES (%s, %s)", TICKETS)
    return "SELECT request AS prompt, label AS completion FROM tickets"
