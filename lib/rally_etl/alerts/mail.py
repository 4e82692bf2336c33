"""One mail over SMTP with TLS; its Message-ID is the same at every attempt, so that who has it already can tell."""

from __future__ import annotations

import smtplib
import ssl
from email.message import EmailMessage
from email.utils import format_datetime, localtime

from rally_etl.alerts.answers import Answer
from rally_etl.alerts.routes import EmailChannel


def send(
    channel: EmailChannel, login: tuple[str, str] | None, key: str, subject: str, body: str, timeout_s: float
) -> Answer:
    """Hand a mail to the server once.

    Args:
        login: user and password, sent only over TLS.
        timeout_s: seconds without a byte after which it is given up.
    """
    try:
        server = _connect(channel, timeout_s)
    except (OSError, smtplib.SMTPException) as error:
        return Answer("again", f"no connection: {_said(error)}")
    try:
        if login:
            server.login(*login)
    except (OSError, smtplib.SMTPException) as error:
        server.close()
        return Answer("again", f"no login: {_said(error)}")
    try:
        refused = server.send_message(_mail(channel, key, subject, body), channel.sender, channel.to)
    except smtplib.SMTPRecipientsRefused as error:
        codes = [code for code, _ in error.recipients.values()]
        server.close()
        text = f"no recipient is known: {', '.join(map(str, sorted(set(codes))))}"
        return Answer("refused" if all(map(_is_final, codes)) else "again", text)
    except smtplib.SMTPResponseException as error:
        server.close()
        return Answer("refused" if _is_final(error.smtp_code) else "again", _said(error))
    except (OSError, smtplib.SMTPException) as error:
        server.close()
        return Answer("unknown", f"no answer: {_said(error)}")
    _leave(server)
    if refused:
        return Answer("delivered", f"taken, but refused for {len(refused)} of {len(channel.to)} recipients")
    return Answer("delivered", f"taken for {len(channel.to)} of {len(channel.to)} recipients")


def _connect(channel: EmailChannel, timeout_s: float) -> smtplib.SMTP:
    context = ssl.create_default_context()
    if channel.ca_file:
        context.load_verify_locations(channel.ca_file)
    if channel.security == "tls":
        return smtplib.SMTP_SSL(channel.host, channel.port, timeout=timeout_s, context=context)
    server = smtplib.SMTP(channel.host, channel.port, timeout=timeout_s)
    try:
        if channel.security == "starttls":
            server.starttls(context=context)
    except BaseException:
        server.close()
        raise
    return server


def _mail(channel: EmailChannel, key: str, subject: str, body: str) -> EmailMessage:
    mail = EmailMessage()
    mail["Subject"], mail["From"], mail["To"] = subject, channel.sender, ", ".join(channel.to)
    mail["Message-ID"] = f"<{key}@{channel.sender.split('@')[1]}>"
    mail["Date"] = format_datetime(localtime())
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(body)
    return mail


def _is_final(code: int) -> bool:
    """Whether a server takes this mail never; what is no answer of SMTP (999, -1) says nothing of the mail."""
    return 500 <= code < 600


def _leave(server: smtplib.SMTP) -> None:
    """Say goodbye; the server has taken the mail, whatever it says now."""
    try:
        server.quit()
    except (OSError, smtplib.SMTPException):
        server.close()


def _said(error: BaseException) -> str:
    if isinstance(error, smtplib.SMTPResponseException):
        said = error.smtp_error
        return f"{error.smtp_code} {said.decode('utf-8', 'replace') if isinstance(said, bytes) else said}"
    return f"{type(error).__name__}: {error}"
