"""What a web server loads: `gunicorn wsgi:app`, `flask --app wsgi ...`."""

from flask.cli import NoAppException

from portal.app import create_app
from portal.config import ConfigError

try:
    app = create_app()
except ConfigError as err:
    # The message says it all; on the command line Flask prints it without a traceback.
    raise NoAppException(str(err)) from None
