"""The environments of the checkout: made with uv, or with pip. It needs no installed package."""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - make may well find an older one
    found = ".".join(map(str, sys.version_info[:3]))
    sys.exit(f"This needs Python 3.11 or newer, and got {found}. Try: make PYTHON=python3.11")
