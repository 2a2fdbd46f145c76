"""The jobs page in a real browser, on a real Airflow: for the tests, and for pictures."""

from demo.stopping import note_signals

# Before all else is imported, as in the demo.
note_signals()
