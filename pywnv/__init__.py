"""Which frames of a Windows host's capture are the same packet, and which way it went through the host."""

from __future__ import annotations

import pywnv.annotate  # first, or the rooms would later take the place of the functions of their names
import pywnv.report
import pywnv.why  # noqa: F401
from pywnv.api import annotate, annotate_table, report, why
from pywnv.errors import WnvError
from pywnv.tables.annotation import Annotation
from pywnv.version import __version__

__all__ = ["Annotation", "WnvError", "__version__", "annotate", "annotate_table", "report", "why"]
