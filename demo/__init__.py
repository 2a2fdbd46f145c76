"""``make demo`` and ``make ui``: the example DAG on a real Airflow, against the emulator."""

from demo.stopping import note_signals

# Before all else is imported, which takes a moment: Ctrl-C may come in it.
note_signals()
