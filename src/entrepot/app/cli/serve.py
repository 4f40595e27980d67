"""`entrepot serve`: settings from the command line, then the server."""

from __future__ import annotations

import importlib

from entrepot.app.cli.option import with_settings
from entrepot.app.cli.output import fail, say
from entrepot.app.cli.welcome import welcome
from entrepot.app.config import Settings


@with_settings()
def serve(settings: Settings) -> None:
    """Run the registry until SIGTERM or Ctrl-C. The first start makes everything that it needs."""
    importlib.import_module("entrepot.app.logs").configure(settings)
    server = importlib.import_module("entrepot.app.server")
    try:
        server.serve(settings, lambda *facts: say(welcome(*facts)))
    except server.ServerError as error:
        fail(str(error))
