"""How the web server runs; gunicorn reads this file by itself when started in this folder."""

from typing import Any

from gunicorn.glogging import Logger

from portal.arrival import Worker
from portal.logs import formatter, log_format

# One process: its threads share the connections to the database. More load means more machines.
workers = 1
# With threads; none of them waits for a request without an end.
worker_class = Worker
threads = 8
# Of the process as a whole; it says nothing of a thread that waits.
timeout = 60
graceful_timeout = 10
# Its control socket would be left in the home folder, one for all portals on the machine.
control_socket_disable = True
# Addresses hold secrets (the hook's), so there is no access log; the portal logs what it does.
accesslog = None
# The portal itself refuses bodies over 64 KB; this bounds what comes before them.
limit_request_line = 4094
limit_request_fields = 60


class Lines(Logger):
    """What the server itself says (a bad request line, a worker that took too long).

    It goes through the same chain as our own lines: one form, no secrets, no breaks from outside.
    """

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        for handler in self.error_log.handlers:
            handler.setFormatter(formatter(log_format()))


logger_class = Lines
