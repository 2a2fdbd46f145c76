"""``make cluster``: wait for many jobs on an Airflow of many processes, some of which fail."""

from tools.signals import record_signals

# Before the other imports, which take a moment: Ctrl-C may arrive during them.
record_signals()
