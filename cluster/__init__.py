"""``make cluster``: many waits on an Airflow of several machines' worth of processes, in trouble."""

from demo.stopping import note_signals

# Before all else is imported, which takes a moment: Ctrl-C may come in it.
note_signals()
