"""The former name of tests.secret_scan."""

from tests.secret_scan import OUTPUT, leftovers

__all__ = ["OUTPUT", "leftovers"]
