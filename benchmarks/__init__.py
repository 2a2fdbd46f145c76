"""What waiting for jobs costs, measured: ``make bench``."""
