"""Whether this process was told to end: what is being done is finished, nothing new is begun."""

from __future__ import annotations

import threading

requested = threading.Event()
"""Set by a worker that got SIGTERM."""
