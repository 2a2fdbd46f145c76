"""Pictures of the jobs page, taken in a real Chromium on a real Airflow."""

from tools.signals import record_signals

# Before the other imports, which take a moment: Ctrl-C may arrive during them.
record_signals()
