"""What the server does because its time has come: embargoes end, what was given for a time is taken back, DOIs are
registered."""

from __future__ import annotations

import logging
import threading

from pulvinar.catalogue.registration import do_due, note_account
from pulvinar.catalogue.sharing import do_what_is_due
from pulvinar.errors import PulvinarError
from pulvinar.platform import Platform

EVERY_S = 2.0
_log = logging.getLogger("pulvinar.web")


class Clock:
    """Looks every two seconds, in a thread of its own, from `start` until `stop`. Servers may do so side by side."""

    def __init__(self, platform: Platform, *, every_s: float = EVERY_S) -> None:
        self._platform = platform
        self._every_s = every_s
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="due", daemon=True)

    def start(self) -> None:
        """Begin to look. What is published from now on gets a DOI, where there is an account."""
        if self._platform.registrar is not None:
            note_account(self._platform.database, self._platform.registrar.prefix)
        self._thread.start()

    def stop(self) -> None:
        """End, once what is under way is done."""
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(self._every_s):
            try:
                do_what_is_due(self._platform.database)
                if self._platform.registrar is not None:
                    address = self._platform.settings.resolved_address()
                    do_due(self._platform.database, self._platform.registrar, address)
            except PulvinarError as error:
                # a database that doesn't answer now may the next time
                _log.warning("what is due can't be done: %s", error.message)
