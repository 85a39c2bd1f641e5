"""Which frames of a Windows host's capture are the same packet, and which way it went through the host."""

from __future__ import annotations

# Rooms first: loaded later, they would take the place of the functions of their names.
import pywnv.annotate
import pywnv.report
import pywnv.why  # noqa: F401 - loading it is all
from pywnv.api import annotate, annotate_table, report, why
from pywnv.errors import WnvError
from pywnv.tables.annotation import Annotation
from pywnv.version import __version__

__all__ = ["Annotation", "WnvError", "__version__", "annotate", "annotate_table", "report", "why"]
