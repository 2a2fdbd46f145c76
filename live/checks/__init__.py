"""All checks. They run in this order: what only a finished job can show comes last."""

from live.checks import statements as _statements  # isort: skip
from live.checks import jobs as _jobs  # isort: skip
from live.checks import answers as _answers  # isort: skip
from live.checks import documents as _documents  # isort: skip
from live.checks import training_data as _training_data  # isort: skip
from live.checks import datasets as _datasets  # isort: skip
from live.checks import models as _models  # isort: skip

__all__ = [
    "_answers",
    "_datasets",
    "_documents",
    "_jobs",
    "_models",
    "_statements",
    "_training_data",
]
