"""Errors that are bugs, told to Sentry where `SENTRY_DSN` is set: class, places and what was going on, no values."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from typing import Any

from rally_etl import __version__
from rally_etl.errors import UsageError
from rally_etl.logs.shaping import message_of
from rally_etl.scrubbing import BLANK, secrets_of, without_values
from rally_etl.settings import Settings

WAIT_S = 2.0  # seconds that a server of Sentry may hold up the end of a command
TAGS = ("command", "process", "run", "league", "stage", "file", "record")
_KEPT = ("event_id", "timestamp", "level", "platform", "release", "environment", "tags", "exception")
_FRAME = ("filename", "module", "function", "lineno", "in_app")

_state: dict[str, Any] = {}


def send(error: BaseException, settings: Settings, bound: Mapping[str, Any]) -> None:
    """Tell of one error, and wait for it a moment; a server that does not answer is left alone, whatever it does.

    Args:
        bound: what it happened in; the tags of the event.
    """
    try:
        dsn = settings.secret("SENTRY_DSN")
    except UsageError:  # `.env` cannot be read; whoever needs it says so
        return
    if not dsn:
        return
    try:
        sentry = _started(dsn, settings)
        tags = {name: str(bound[name]) for name in TAGS if bound.get(name) is not None}
        with sentry.new_scope() as scope:
            scope.set_tags(tags)
            sentry.capture_exception(error)
        sentry.flush(timeout=WAIT_S)
    except Exception as trouble:
        if not _state.get("complained"):
            _state["complained"] = True
            print(f"log: SENTRY_DSN cannot be used ({type(trouble).__name__}); the work goes on", file=sys.stderr)


def _started(dsn: str, settings: Settings) -> Any:
    import sentry_sdk

    if _state.get("dsn") != dsn:
        logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)  # it tells of every attempt
        secrets = secrets_of(settings)
        sentry_sdk.init(
            dsn=dsn,
            release=f"rally-etl@{__version__}",
            before_send=lambda event, hint: scrubbed(event, hint, secrets),
            send_default_pii=False,
            include_local_variables=False,
            include_source_context=False,
            max_breadcrumbs=0,
            server_name="",
            # It would import every framework that is installed, and listen to loggers and hooks.
            default_integrations=False,
            auto_enabling_integrations=False,
            shutdown_timeout=0,
        )
        _state["dsn"] = dsn
    return sentry_sdk


def scrubbed(event: dict[str, Any], hint: Mapping[str, Any], secrets: set[str]) -> dict[str, Any]:
    """What may leave of an event: what is listed here, its messages without values."""
    kept = {name: event[name] for name in _KEPT if name in event}
    chain = _by_class(hint)
    for value in kept.get("exception", {}).get("values", ()):
        error = chain.get(value.get("type", ""))
        value["value"] = message_of(error) if error else without_values(str(value.get("value", "")), secrets)
        for secret in secrets:
            value["value"] = value["value"].replace(secret, BLANK)
        value.pop("mechanism", None)
        frames = value.get("stacktrace", {}).get("frames", ())
        value["stacktrace"] = {"frames": [{key: each[key] for key in _FRAME if key in each} for each in frames]}
    return kept


def _by_class(hint: Mapping[str, Any]) -> dict[str, BaseException]:
    found: dict[str, BaseException] = {}
    error = (hint.get("exc_info") or (None, None, None))[1]
    while error is not None and type(error).__name__ not in found:
        found[type(error).__name__] = error
        error = error.__cause__ or error.__context__
    return found
