"""What may stand in a text that is kept or sent: no secret, no address of a person, no value that somebody typed."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from urllib.parse import unquote, urlsplit

from rally_etl.errors import UsageError
from rally_etl.settings import Settings, read_env_file

BLANK = "***"
LONGEST_LINE = 2000  # letters
SHORTEST = 6  # letters; a shorter secret is blanked only where it stands as one, as `password=secret`
_SECRET_NAME = re.compile(r"PASS|TOKEN|SECRET|KEY|DSN|WEBHOOK|CREDENTIAL|_URL$|_TO$", re.I)
_NO_SECRETS = {"postgres", "postgresql", "localhost", "rally-etl"}

E_MAIL = re.compile(r"[\w.+'-]+@[\w-]+(?:\.[\w-]+)+")
PHONE = re.compile(r"\+\d[\d ()-]{6,}\d|\(\d{3}\) ?\d{3}-\d{4}|\b\d{3}-\d{3}-\d{4}\b")
_LOGIN = re.compile(r"(?<=://)[^\s/@]+@")
_PASSWORD = re.compile(r"((?:password|passwd|pwd|token|secret|api_key)['\"]?\s*[=:]\s*)['\"]?[^\s'\",;&]+", re.I)
_QUOTED = re.compile(r"(?<!\w)'[^']*(?:'\w[^']*)*'(?!\w)|\"[^\"]*\"|“[^”]*”|=\(([^)]*)\)")
_IDENTIFIER = re.compile(r"[a-z0-9_./*-]*")
_WORD = r"[^\W\d_][^\W\d_'’.-]*[^\W\d_A-Z'’.-][\w'’.-]*"
_NAME = re.compile(rf"(?<![\w'])(?=[^\W\d_a-z]){_WORD}(?:,? (?=[^\W\d_a-z])(?:{_WORD}|[^\W\d_]\.?(?= )))+")


def parts_of(secret: str) -> set[str]:
    """The secret itself; of an address also its path, its parts, its login: servers like to repeat them."""
    parts = {secret, unquote(secret)}
    if "://" in secret:
        split = urlsplit(secret)
        parts |= {split.path, split.query, split.username or "", split.password or "", unquote(split.password or "")}
        parts |= {part for part in split.path.split("/") if len(part) >= 8}
    return {part for part in parts if len(part) >= 4}


def secrets_of(settings: Settings, env: Mapping[str, str] | None = None) -> set[str]:
    """Values of the environment and of `.env` whose names say that they are secret, and their parts.

    Of DATABASE_URL and other addresses that log in, it is the password; host and database are no secret.
    """
    env = os.environ if env is None else env
    try:
        values = {**read_env_file(settings.root / ".env"), **env}
    except UsageError:  # a line of it is no assignment; whoever needs the file says so
        values = dict(env)
    values |= {"DATABASE_URL": settings.database_url or values.get("DATABASE_URL", "")}
    found: set[str] = set()
    for name, value in values.items():
        if not value or not _SECRET_NAME.search(name):
            continue
        if name == "DATABASE_URL" or value.startswith(("postgres", "file:")):
            password = urlsplit(value).password or ""
            found |= {password, unquote(password)}
        elif not value.startswith("/"):
            found |= parts_of(value)
    return {part for part in found if len(part) >= SHORTEST and part.casefold() not in _NO_SECRETS}


def without_secrets(text: str, secrets: Iterable[str] = ()) -> str:
    """The text without these secrets, logins of addresses, passwords, e-mail addresses and telephone numbers."""
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, BLANK)
    text = _PASSWORD.sub(rf"\1{BLANK}", _LOGIN.sub(f"{BLANK}@", text))
    return without_addresses(text)


def without_addresses(text: str) -> str:
    """The text without e-mail addresses and telephone numbers."""
    return PHONE.sub("<number>", E_MAIL.sub("<address>", text))


def without_values(text: str, secrets: Iterable[str] = ()) -> str:
    """One line of a message without what it quotes, and without what looks like the name of a person.

    Quoted identifiers (`"players_pkey"`) and paths in small letters stay. What a name looks like: words with a capital
    letter side by side. It also takes the name of a town; a log can do without.
    """
    line = (text.strip().splitlines() or [""])[0][:LONGEST_LINE]
    line = _QUOTED.sub(_quoted, without_secrets(line, secrets))
    return _NAME.sub("<name>", line)


def _quoted(found: re.Match[str]) -> str:
    if found[1] is not None:
        return "=(…)"
    inside = found[0][1:-1]
    return found[0] if _IDENTIFIER.fullmatch(inside) or inside == BLANK else f"{found[0][0]}…{found[0][-1]}"
