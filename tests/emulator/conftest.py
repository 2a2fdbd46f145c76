"""Sessions of the unmodified driver, and data to train on."""

import contextlib

import pytest
import snowflake.connector

from tests.account import create_table

TICKETS = [
    ("Where is my parcel?", "shipping"),
    ("The parcel arrived broken", "shipping"),
    ("My invoice shows the wrong amount", "billing"),
    ("Please send the invoice again", "billing"),
    ("The app crashes when I log in", "bug"),
]


@pytest.fixture
def connect(cortex_emulator):
    """Open sessions with the unmodified driver, and close them after the test."""
    with contextlib.ExitStack() as stack:

        def connect(emulator=cortex_emulator, **changes):
            session = snowflake.connector.connect(**emulator.connect_arguments | changes)
            return stack.enter_context(contextlib.closing(session))

        yield connect


@pytest.fixture
def cell(connect):
    """Execute a statement, by default in one and the same session, and return its only value."""
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
def tickets(cortex_emulator):
    """Create a table TICKETS, and return a query that selects training data from it."""
    create_table(cortex_emulator, "tickets", TICKETS, "request, label")
    return "SELECT request AS prompt, label AS completion FROM tickets"
