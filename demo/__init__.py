"""``make demo`` and ``make ui``: run the example DAG on a real Airflow, against the emulator."""

from tools.signals import record_signals

# Before the other imports, which take a moment: Ctrl-C may arrive during them.
record_signals()
