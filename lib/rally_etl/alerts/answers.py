"""What came of one attempt to send a message."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Answer:
    """How an attempt ended.

    Attributes:
        result: `delivered`: the server has it; `again`: it has not, and may take it later; `refused`: it will never
            take this message; `unknown`: no answer came, it may have it.
        text: what the server said.
        wait_s: seconds after which it wants to be asked again; None where it does not say.
    """

    result: Literal["delivered", "again", "refused", "unknown"]
    text: str
    wait_s: float | None = None
