"""The kernel of a notebook: its events, and what ends a cell that nobody expected."""

from __future__ import annotations

from typing import Any

from rally_etl import logs
from rally_etl.settings import Settings


def listen() -> None:
    """Log from this kernel; an error of a cell is shown as before, and logged if it is a bug."""
    from IPython import get_ipython

    from rally_etl.database.engine import is_weather

    def note(shell: Any, kind: type, error: BaseException, stack: Any, tb_offset: int | None = None) -> None:
        if not is_weather(error):
            logs.unexpected(error)
        shell.showtraceback((kind, error, stack), tb_offset=tb_offset)

    logs.configure(Settings.from_env(), "kernel")
    if shell := get_ipython():
        shell.set_custom_exc((Exception,), note)
