"""How the web server runs; gunicorn reads this file by itself when started in this folder."""

import logging

from portal.logs import TOKEN_SHAPES

# One process: its threads share the connections to the database. More load means more machines.
workers = 1
worker_class = "gthread"
threads = 8
timeout = 60
graceful_timeout = 10
# Its control socket would be left in the home folder, one for all portals on the machine.
control_socket_disable = True
# Addresses hold secrets (the hook's), so there is no access log; the portal logs what it does.
accesslog = None
# The portal itself refuses bodies over 64 KB; this bounds what comes before them.
limit_request_line = 4094
limit_request_fields = 60


class _Blot(logging.Filter):
    """Takes secrets out of the addresses that gunicorn names when a request goes wrong."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg = TOKEN_SHAPES.sub(lambda hit: (hit.group(1) or "") + "…", record.getMessage())
        record.args = ()
        return True


def on_starting(server) -> None:  # type: ignore[no-untyped-def]
    server.log.error_log.addFilter(_Blot())
