"""What of a server's answer may be kept: no secret, no address of a person, one short line."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import unquote, urlsplit

from rally_etl.alerts.wording import plain

LONGEST = 200  # letters of an answer that are kept
_ADDRESS = re.compile(r"[^\s<>@\"']+@[^\s<>@\"']+")
_PHONE = re.compile(r"\+\d[\d ()-]{6,}\d")
_URL_PATH = re.compile(r"(https?://[^\s/\"'<>]+)/[^\s\"'<>]*")


def scrubbed(text: str, secrets: Iterable[str] = ()) -> str:
    """The text without *secrets*, any part of a secret address, e-mail addresses and telephone numbers."""
    for part in sorted({part for secret in secrets for part in _parts(secret)}, key=len, reverse=True):
        text = text.replace(part, "***")
    text = _URL_PATH.sub(r"\1/***", text)
    text = _PHONE.sub("<number>", _ADDRESS.sub("<address>", text))
    text = plain(text)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def _parts(secret: str) -> set[str]:
    """The secret itself; of an address also its path, its parts, its login: servers like to repeat them."""
    parts = {secret, unquote(secret)}
    if "://" in secret:
        split = urlsplit(secret)
        parts |= {split.path, split.query, split.username or "", split.password or ""}
        parts |= {part for part in split.path.split("/") if len(part) >= 8}
    return {part for part in parts if len(part) >= 4}
