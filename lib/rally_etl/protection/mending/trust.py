"""`params/orphans.yaml`: how far each way to mend an orphan is trusted."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from rally_etl.errors import UsageError
from rally_etl.identity.thresholds import Share
from rally_etl.params import read_model

Strategy = Literal[
    "answer",
    "redirect",
    "history",
    "memory",
    "name",
    "pattern",
    "creator",
    "content",
    "choice",
    "image",
    "pair",
    "silence",
]
Lessening = Literal["spelling", "alias", "elsewhere", "alone", "any_league"]


class Gone(BaseModel):
    """How many rows of users must go at once to be missed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rows: int = Field(ge=1)
    share: Share


class Trust(BaseModel):
    """What each value means: the comments of the file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    taken: Share
    strategies: dict[Strategy, Share]
    less: dict[Lessening, Share]
    disagreement: Share
    contradicted: Share
    gone: Gone
    creators: list[str]
    texts: dict[str, list[str]]


def load_trust(params_dir: Path) -> Trust:
    """Read the file.

    Raises:
        UsageError: it is missing, or a value is missing, unknown or out of range.
    """
    path = params_dir / "orphans.yaml"
    trust = read_model(path, Trust, "nothing was mended")
    for part, known in (("strategies", Strategy), ("less", Lessening)):
        if missing := sorted(set(known.__args__) - getattr(trust, part).keys()):
            raise UsageError(
                f"{path}: key `{part}` lacks {missing[0]}; nothing was mended\n"
                "hint: compare it with the project's own file"
            )
    return trust
