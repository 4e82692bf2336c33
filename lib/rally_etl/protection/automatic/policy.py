"""`params/repairs.yaml`: which problems may be mended without asking, which on approval, and who says so."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt

from rally_etl.errors import UsageError
from rally_etl.naming import load_leagues
from rally_etl.params import read_model
from rally_etl.protection.automatic.problems import PROBLEMS

FILE = "repairs.yaml"
Word = Literal["without_asking", "on_approval", "never"]
WORDS: tuple[Word, ...] = ("without_asking", "on_approval", "never")
"""From the boldest to the most careful."""
SAID = Annotated[str, Field(min_length=1, pattern=r"\S")]


class Policy(BaseModel):
    """What the file says of one problem; its first lines say what each value means."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    repair: Word
    owner: SAID
    why: SAID
    at_most: Annotated[StrictInt, Field(ge=1)] | None = None
    share: Annotated[float, Field(gt=0, le=1, strict=True)] | None = None
    leagues: Annotated[list[SAID], Field(min_length=1)] | None = None

    def word_in(self, league: str) -> Word:
        """What is done in a league: as the file says, or one step more careful where it names other leagues."""
        if self.leagues is None or league in self.leagues:
            return self.repair
        return WORDS[min(WORDS.index(self.repair) + 1, len(WORDS) - 1)]


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    before_imports: StrictBool
    problems: dict[str, Policy]


@dataclass(frozen=True, slots=True)
class Policies:
    """The file as it was read; ``sha256`` is of its bytes."""

    problems: Mapping[str, Policy]
    before_imports: bool
    sha256: str

    def operation(self, problem: str, *, needs_approval: bool) -> dict[str, Any]:
        """What a run that mends a problem by this file is asked for, and by whom."""
        policy = self.problems[problem]
        how = "waits for an approval" if needs_approval else "is mended without asking"
        return {
            "kind": PROBLEMS[problem].kind,
            "problem": problem,
            "by": f"{policy.owner} (params/{FILE})",
            "reason": f"params/{FILE} ({self.sha256[:12]}): {problem} {how}, says {policy.owner}: {policy.why}",
            "params_sha256": self.sha256,
            "needs_approval": needs_approval,
            "at_most": policy.at_most,
            "share": policy.share,
        }


def read_policies(params_dir: Path) -> Policies:
    """Read the file.

    Raises:
        UsageError: it is missing, a value is missing, unknown or out of range, a problem is unknown or left out, a
            limit says nothing, or a league is unknown; names the key.
    """
    path = params_dir / FILE
    content = read_model(path, _File, "nothing was looked at")

    def refuse(what: str, hint: str) -> UsageError:
        return UsageError(f"{path}: {what}; nothing was looked at\nhint: {hint}")

    if unknown := sorted(content.problems.keys() - PROBLEMS.keys()):
        raise refuse(f"`{unknown[0]}` is no known problem", f"the problems are {', '.join(PROBLEMS)}")
    if missing := [name for name in PROBLEMS if name not in content.problems]:
        raise refuse(f"key `problems` lacks {missing[0]}", "repair: never leaves a problem alone")
    leagues = load_leagues(params_dir)
    for name, policy in content.problems.items():
        if policy.repair == "without_asking" and policy.at_most is None:
            raise refuse(f"`{name}` is mended without asking and has no at_most", "say from how many on a person looks")
        if policy.repair != "without_asking" and (policy.at_most is not None or policy.share is not None):
            raise refuse(f"`{name}` has a limit and is {policy.repair}", "at_most and share limit what nobody is asked")
        if policy.leagues is not None and not PROBLEMS[name].by_league:
            raise refuse(f"`{name}` concerns the whole database and names leagues", "leave out leagues")
        if odd := [key for key in policy.leagues or () if leagues.canonical(key) != key]:
            raise refuse(
                f"`{name}` names the league {odd[0]!r}, which there is not", f"one of {', '.join(leagues.keys())}"
            )
    return Policies(content.problems, content.before_imports, hashlib.sha256(path.read_bytes()).hexdigest())
