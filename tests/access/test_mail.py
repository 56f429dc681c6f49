import logging
import ssl
import subprocess

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult
from tests.conftest import free_ports

from pulvinar.access import letters
from pulvinar.access.mail import ConsoleMailer, Mail, Postman, SmtpMailer, open_mailer
from pulvinar.errors import Invalid, Unavailable
from pulvinar.model.account import Account, AccountKind, AccountState, Profile

LETTER = Mail("ada@x.org", "一封信 / a letter", "你好\nhello\n")


class Box:
    def __init__(self):
        self.got = []

    async def handle_DATA(self, server, session, envelope):  # noqa: N802 - the library's name
        self.got.append((envelope.mail_from, envelope.rcpt_tos, envelope.content.decode(), session.ssl is not None))
        return "250 taken"


@pytest.fixture
def box():
    return Box()


def serve(box, **more):
    (port,) = free_ports(1)
    controller = Controller(box, hostname="127.0.0.1", port=port, **more)
    controller.start()
    return controller, port


def test_mail_goes_out_by_smtp_in_any_script(box):
    controller, port = serve(box)
    try:
        open_mailer(f"smtp://127.0.0.1:{port}", "Pulvinar <pulvinar@x.org>").send(LETTER)
    finally:
        controller.stop()
    sender, to, text, _ = box.got[0]
    assert (sender, to) == ("pulvinar@x.org", ["ada@x.org"])
    assert "Auto-Submitted: auto-generated" in text


def test_a_password_goes_over_an_encrypted_line(box, tmp_path):
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=127.0.0.1"]
    made += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(made, check=True, capture_output=True)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    given = []

    def ask(server, session, envelope, mechanism, data):
        given.append((data.login, data.password))
        return AuthResult(success=True)

    controller, port = serve(box, tls_context=context, authenticator=ask, auth_required=True)
    mailer = SmtpMailer(f"smtp://pulvinar@127.0.0.1:{port}", "p@x.org", "hush")
    try:
        with pytest.raises(Unavailable, match="certificate"):
            mailer.send(LETTER)
        trusted = ssl.create_default_context(cafile=certificate)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(ssl, "create_default_context", lambda: trusted)
            mailer.send(LETTER)
    finally:
        controller.stop()
    assert given == [(b"pulvinar", b"hush")]
    assert box.got[0][3]
    assert "hush" not in repr(mailer)


def test_a_line_break_adds_no_header(box):
    with pytest.raises(ValueError, match=r"newline|linefeed|return"):
        SmtpMailer("smtp://127.0.0.1:9", "p@x.org")._message(Mail("a@x.org\r\nBcc: b@x.org", "x", "x"))


def test_a_server_that_is_silent_and_an_address_that_is_none():
    with pytest.raises(Unavailable):
        open_mailer(f"smtp://127.0.0.1:{free_ports(1)[0]}", "p@x.org").send(LETTER)
    for url, sender in (("http://x.org", "p@x.org"), ("smtp://", "p@x.org"), ("smtp://x.org", "")):
        with pytest.raises(Invalid):
            open_mailer(url, sender)
    assert isinstance(open_mailer("", ""), ConsoleMailer)


def test_without_a_server_mail_is_printed(capsys):
    postman = Postman(open_mailer("", ""))
    postman.send(LETTER)
    postman.close()
    assert "mail to ada@x.org: 一封信" in capsys.readouterr().err


def test_what_fails_is_logged_and_the_next_mail_goes_out(caplog, capsys):
    postman = Postman(ConsoleMailer())

    def fail():
        raise RuntimeError("no")

    with caplog.at_level(logging.ERROR):
        postman.soon(fail)
        postman.send(LETTER)
        postman.close()
    assert "mail was not sent" in caplog.text
    assert "一封信" in capsys.readouterr().err


def test_letters_speak_both_languages():
    of = Account("x", "ada", Profile("Ada", "a@x.org"), AccountKind.PERSON, AccountState.ACTIVE, False, None)  # type: ignore[arg-type]
    for letter in (
        letters.invitation("a@x.org", "https://h/l", "h"),
        letters.recovery(of, "https://h/l", "h"),
        letters.changed(of, "the password was changed", "密码已更改", "h"),
    ):
        assert letter.to == "a@x.org"
        assert "账户" in letter.text
        assert "account" in letter.text
