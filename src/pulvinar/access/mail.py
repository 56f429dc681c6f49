"""Mail to people: by SMTP where the settings name a server, else onto the console of whoever runs it."""

from __future__ import annotations

import logging
import smtplib
import ssl
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from typing import Protocol
from urllib.parse import unquote, urlsplit

from pulvinar.errors import Invalid, Unavailable

_TIMEOUT_S = 20
_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_log = logging.getLogger("pulvinar.access")


@dataclass(frozen=True)
class Mail:
    """A letter of plain text."""

    to: str
    subject: str
    text: str


class Mailer(Protocol):
    """Takes mail to people."""

    def send(self, mail: Mail) -> None:
        """Hand `mail` over. Raises `Unavailable` where that fails."""


class ConsoleMailer:
    """Prints mail: for a demo, and for a server without an SMTP server, whose owner hands links over."""

    def send(self, mail: Mail) -> None:
        """Print `mail` on standard error."""
        print(f"\nmail to {mail.to}: {mail.subject}\n\n{mail.text}\n", file=sys.stderr, flush=True)  # noqa: T201


@dataclass(frozen=True)
class SmtpMailer:
    """Hands mail to an SMTP server: `smtps://` is encrypted from the start, `smtp://` once the server offers it."""

    url: str = field(repr=False)
    sender: str
    password: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in ("smtp", "smtps") or not parts.hostname:
            raise Invalid("smtp_url is no address of an SMTP server", hint="smtp://user@mail.institute.org:587")
        if not self.sender:
            raise Invalid("mail needs a sender", hint="set mail_from")

    def send(self, mail: Mail) -> None:
        """Hand `mail` over; a password goes to another machine only encrypted."""
        parts = urlsplit(self.url)
        host, secure = str(parts.hostname), parts.scheme == "smtps"
        context = ssl.create_default_context()
        try:
            with (
                smtplib.SMTP_SSL(host, parts.port or 465, timeout=_TIMEOUT_S, context=context)
                if secure
                else smtplib.SMTP(host, parts.port or 587, timeout=_TIMEOUT_S)
            ) as server:
                if not secure and server.ehlo() and server.has_extn("starttls"):
                    server.starttls(context=context)
                    secure = True
                if parts.username:
                    if not secure and host not in _LOOPBACK:
                        raise Unavailable(f"{host} offers no encryption, and would be sent a password")
                    server.login(unquote(parts.username), self.password or unquote(parts.password or ""))
                server.send_message(self._message(mail))
        except (OSError, smtplib.SMTPException) as error:
            raise Unavailable(f"mail could not be sent by {host}: {error}") from error

    def _message(self, mail: Mail) -> EmailMessage:
        message = EmailMessage()
        # a line break in a header is refused by the library
        message["From"], message["To"], message["Subject"] = self.sender, mail.to, mail.subject
        message["Date"], message["Message-ID"] = formatdate(), make_msgid("pulvinar")
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(mail.text)
        return message


def open_mailer(url: str, sender: str, password: str = "") -> Mailer:
    """The mailer of the settings. Raises `Invalid` for an address that is none."""
    return SmtpMailer(url, sender, password) if url else ConsoleMailer()


class Postman:
    """Does what ends in mail beside the request: nobody learns from the time it takes whether there was any."""

    def __init__(self, mailer: Mailer, failed: Callable[[str], None] = lambda _: None) -> None:
        """`failed` is told why mail was not sent, in a few words without whom it was for."""
        self._mailer = mailer
        self._failed = failed
        self._rounds = ThreadPoolExecutor(1, thread_name_prefix="mail")

    def send(self, mail: Mail) -> None:
        """Send `mail` soon."""
        self.soon(lambda: [mail])

    def soon(self, write: Callable[[], list[Mail]]) -> None:
        """Call `write`, and send what it gives; what fails is logged."""
        self._rounds.submit(self._round, write)

    def close(self) -> None:
        """Send what is left."""
        self._rounds.shutdown()

    def _round(self, write: Callable[[], list[Mail]]) -> None:
        try:
            for mail in write():
                self._mailer.send(mail)
        except Exception as error:  # noqa: BLE001 - whatever it is, the next mail goes out
            _log.exception("mail was not sent")
            with suppress(Exception):
                self._failed(type(error).__name__)
