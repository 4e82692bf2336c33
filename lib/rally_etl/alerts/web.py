"""One POST over HTTP: TLS with a good certificate, no redirects, and the server's answer as what to do next."""

from __future__ import annotations

import base64
import http.client
import ssl
import urllib.error
import urllib.request
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urlencode, urlsplit

from rally_etl.alerts.answers import Answer
from rally_etl.alerts.routes import LOCAL

SHOWN_BYTES = 300  # of an answer
# The message itself is at fault; any other 4xx is about the address or the login, which a person mends.
REFUSED = (400, 405, 406, 411, 413, 414, 415, 422)


def form(**fields: str) -> bytes:
    """Fields as a browser sends them."""
    return urlencode(fields).encode()


def address_fault(url: str) -> str | None:
    """What is wrong with an address that is a secret, in words that do not show it; None when nothing is."""
    try:
        split = urlsplit(url)
        host = split.hostname
    except ValueError:
        return "is no web address"
    if not host or split.scheme not in ("http", "https"):
        return "is no web address"
    if split.scheme == "http" and host not in LOCAL:
        return "begins with http://, which everybody on the way can read; use https://"
    return None


def post(
    url: str,
    key: str,
    content: bytes,
    content_type: str,
    timeout_s: float,
    *,
    ca_file: str = "",
    login: tuple[str, str] | None = None,
) -> Answer:
    """Post once.

    Args:
        key: goes along as ``Idempotency-Key``: a server that knows the header takes the message once.
        timeout_s: seconds without a byte after which it is given up.
        ca_file: certificates to trust beside those of the machine; "" for none.
    """
    headers = {"Content-Type": content_type, "Idempotency-Key": key, "User-Agent": "rally-etl"}
    if login:
        headers["Authorization"] = "Basic " + base64.b64encode(":".join(login).encode()).decode()
    request = urllib.request.Request(url, content, headers, method="POST")
    try:
        context = ssl.create_default_context()
        if ca_file:
            context.load_verify_locations(ca_file)
        opener = urllib.request.build_opener(urllib.request.HTTPSHandler(context=context), _NoRedirect)
        with opener.open(request, timeout=timeout_s) as response:
            return Answer("delivered", _said(response.status, _beginning(response)))
    except urllib.error.HTTPError as error:
        with error:
            return _refusal(error)
    except urllib.error.URLError as error:  # while connecting or writing: the request was not whole
        return Answer("again", f"no connection: {error.reason}")
    except (OSError, http.client.HTTPException) as error:
        return Answer("unknown", f"no answer: {type(error).__name__}: {error}")


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirected POST would go on as a GET, and its 200 would look like a delivery."""

    def redirect_request(self, *arguments: object, **named: object) -> None:
        return None


def _refusal(error: urllib.error.HTTPError) -> Answer:
    text = _said(error.code, _beginning(error.fp))
    if error.code in REFUSED:
        return Answer("refused", text)
    return Answer("again", text, _retry_after(error.headers.get("Retry-After")))


def _said(status: int, content: bytes) -> str:
    return f"{status} {content.decode('utf-8', 'replace')}".strip()


def _beginning(response: http.client.HTTPResponse) -> bytes:
    """What the server says beside its status, as far as it has come: nobody waits for more."""
    try:
        return response.read1(SHOWN_BYTES)
    except (OSError, http.client.HTTPException):
        return b""


def _retry_after(text: str | None) -> float | None:
    """Seconds that the server asks to wait: it says a number or a date."""
    if not text:
        return None
    if text.strip().isdigit():
        return float(text)
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return max(0.0, (at - datetime.now(UTC)).total_seconds())
