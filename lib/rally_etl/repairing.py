"""Automatic repair: what `params/repairs.yaml` lets be mended, each problem by a run of its own with its own undo."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime
from typing import Any

import sqlalchemy as sa

from rally_etl import runs, states
from rally_etl.alerts.ofrepairs import note_over
from rally_etl.database.engine import connect, read_only
from rally_etl.database.locks import run_lock
from rally_etl.database.schema import init
from rally_etl.errors import RallyEtlError, RunLocked, UsageError
from rally_etl.leftovers import tidy
from rally_etl.measures import counted
from rally_etl.protection import check_params
from rally_etl.protection.automatic.looking import look
from rally_etl.protection.automatic.policy import Policies, Word, read_policies
from rally_etl.protection.automatic.problems import PROBLEMS, Found
from rally_etl.protection.automatic.taken_back import TakenBack, taken_back, taken_back_constraints
from rally_etl.settings import Settings

Tell = Callable[[str, str], None]

SHOWN = 5  # things that a line of one problem names
ENDED = {"GO": "mended", "HOLD": "waits", "NO-GO": "refused"}
EXIT_CODES = {"failed": 1, "refused": 3, "waits": 4}


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """What is to be done about one problem: one run, or none.

    Attributes:
        state: ``due`` (a run mends or asks), ``waits`` (a run waits already), ``taken_back``, ``never``; of a run that
            has ended ``mended``, ``waits``, ``refused``, ``failed``.
        why: of what is not due: what stands in the way.
        run_id: the run that waits, or that has mended.
    """

    problem: str
    repair: Word
    state: str
    found: tuple[Found, ...]
    why: str = ""
    run_id: str = ""

    @property
    def leagues(self) -> list[str]:
        return sorted({each.league for each in self.found})

    @property
    def digest(self) -> str:
        """Of what is found: the same things make the same plan."""
        return hashlib.sha256("\n".join(sorted(each.key for each in self.found)).encode()).hexdigest()[:16]

    def document(self) -> dict[str, Any]:
        """As ``repair --json`` prints it; what a row says stays in the report of its run."""
        said = {name: value for name, value in asdict(self).items() if name != "found"}
        return said | {"found": len(self.found), "leagues": self.leagues, "what": [each.key for each in self.found]}


def repair(
    settings: Settings,
    *,
    problems: Collection[str] = (),
    dry_run: bool = False,
    again: str = "",
    signed: dict[str, str] | None = None,
    as_of: date | None = None,
    wait_s: float = 0,
    tell: Tell = lambda label, text: None,
    conclude: Callable[[dict[str, Any]], None] = lambda document: None,
) -> dict[str, Any]:
    """Do what `params/repairs.yaml` allows, and list what waits for a person.

    Args:
        problems: only these; none means all.
        dry_run: only look: nothing is written, not even a run.
        again: a problem of which that, too, is mended which somebody has taken back.
        signed: ``by`` and ``reason`` of whoever says *again*.
        tell: called with a label and a sentence as runs go on.
        conclude: called with the document of each run that has ended.

    Returns:
        the document of ``repair --json``.

    Raises:
        UsageError: an unknown problem, or a params file that cannot be read; nothing was looked at.
        RunLocked: another run works on this database.
    """
    if unknown := sorted({*problems, *([again] if again else [])} - PROBLEMS.keys()):
        raise UsageError(
            f"{unknown[0]!r} is no known problem; nothing was looked at\nhint: the problems are {', '.join(PROBLEMS)}"
        )
    policies = read_policies(settings.params_dir)
    check_params(settings.params_dir)
    engine = connect(settings)
    init(engine)
    day = as_of or datetime.now(UTC).date()
    if dry_run:
        found = _due(engine, policies, look(engine, settings, day), problems, again)
    else:
        with run_lock(engine, wait_s, "repair"):
            tidy(engine, settings, tell)
            found = _due(engine, policies, look(engine, settings, day), problems, again)
            _refuse_overtaken(engine, found, problems)
        found = [_mend(engine, settings, policies, each, again, signed, day, wait_s, tell, conclude) for each in found]
        quiet = (set(problems) or PROBLEMS.keys()) - {each.problem for each in found if each.state not in _LEFT}
        with engine.begin() as connection:
            note_over(connection, quiet)
    codes = [EXIT_CODES[each.state] for each in found if each.state in EXIT_CODES]
    return {
        "problems": [each.document() for each in found],
        "params_sha256": policies.sha256,
        "dry_run": dry_run,
        "exit_code": next((code for code in (1, 3, 4) if code in codes), 0),
    }


_LEFT = ("never", "taken_back")


def lines_of(document: dict[str, Any]) -> list[str]:
    """The document as text, a line per problem and what is done about it."""
    words = {"without_asking": "without asking", "on_approval": "on approval", "never": "never"}
    lines = []
    for each in document["problems"]:
        much = counted(each["found"], PROBLEMS[each["problem"]].one)
        shown = ", ".join(each["what"][:SHOWN]) + (
            f" and {each['found'] - SHOWN:,} more" if each["found"] > SHOWN else ""
        )
        ends = {
            "due": "would be mended"
            if each["repair"] == "without_asking"
            else "would be planned and wait for an approval",
            "mended": f"mended by run {each['run_id']}; rally-etl undo {each['run_id']} takes it back",
            "waits": f"waits: rally-etl approve {each['run_id']} --by WHO --reason TEXT",
            "refused": f"refused: rally-etl show {each['run_id']}",
            "failed": f"not mended: {each['why']}",
            "taken_back": f"left: {each['why']}",
            "never": f"left: {PROBLEMS[each['problem']].by_hand} mends it",
        }
        lines.append(f"{each['problem']:26}{words[each['repair']]:16}{much}: {shown}")
        lines.append(f"{'':26}{ends[each['state']]}")
    return lines or ["nothing is found that could be mended"]


def _due(
    engine: sa.Engine, policies: Policies, found: Iterable[Found], problems: Collection[str], again: str
) -> list[Due]:
    """What is found, by problem and by what is done about it."""
    with read_only(engine) as connection:
        taken = {**taken_back(connection), **taken_back_constraints(connection)}
        held = connection.execute(_HELD).all()
    groups: dict[tuple[str, Word], list[Found]] = {}
    for each in found:
        if not problems or each.problem in problems:
            groups.setdefault((each.problem, policies.problems[each.problem].word_in(each.league)), []).append(each)
    due = []
    for (problem, word), things in groups.items():
        if word == "never":
            due.append(Due(problem=problem, repair=word, state="never", found=tuple(things)))
            continue
        left = [] if problem == again else _left(things, taken)
        if left:
            due.append(_taken(problem, word, left, taken))
        rest = tuple(each for each in things if each not in left)
        if rest:
            due.append(_waiting(Due(problem=problem, repair=word, state="due", found=rest), held))
    return due


def _left(things: list[Found], taken: dict[str, TakenBack]) -> list[Found]:
    """What somebody has taken back; rows that are folded or computed together are left together."""
    mine = [each for each in things if each.key in taken]
    if mine and mine[0].problem == "rows_doubled":
        return things
    if mine and mine[0].problem == "standings_missing":
        return [each for each in things if each.league in {one.league for one in mine}]
    return mine


def _taken(problem: str, word: Word, left: list[Found], taken: dict[str, TakenBack]) -> Due:
    by = max((taken[each.key] for each in left if each.key in taken), key=lambda one: one.at)
    why = f"{by.told}; `rally-etl repair --again {problem} --by WHO --reason TEXT` mends it all the same"
    return Due(problem=problem, repair=word, state="taken_back", found=tuple(left), why=why)


def _waiting(due: Due, held: Iterable[sa.Row]) -> Due:
    """The same, as waiting where a run of the same things waits already."""
    for row in held:
        if (row.problem, row.digest) == (due.problem, due.digest):
            return replace(due, state="waits", run_id=row.run_id)
    return due


def _refuse_overtaken(engine: sa.Engine, found: Iterable[Due], problems: Collection[str]) -> None:
    """Runs that wait, and whose problem is over or is found otherwise now, wait no more."""
    waiting = {each.run_id for each in found if each.state == "waits"}
    with engine.begin() as connection:
        for row in connection.execute(_HELD).all():
            if row.run_id not in waiting and (not problems or row.problem in problems):
                why = "what it mends is not found any more, or is found otherwise: a later look has seen live anew"
                states.move(connection, row.run_id, states.in_states(connection, row.run_id, ["held"]), "refused", why)


def _mend(
    engine: sa.Engine, settings: Settings, policies: Policies, due: Due, again: str, signed: dict[str, str] | None,
    day: date, wait_s: float, tell: Tell, conclude: Callable[[dict[str, Any]], None],
) -> Due:  # fmt: skip
    """Make the run of what is due; what goes wrong with it does not stop the others."""
    if due.state != "due":
        return due
    operation = policies.operation(due.problem, needs_approval=due.repair == "on_approval")
    operation |= {"leagues": due.leagues, "items": due.digest}
    if due.problem == again:
        operation |= {"again": True} | (signed or {})
    keys = [] if "*" in due.leagues else due.leagues
    try:
        document = runs.operate(settings, operation, keys, tell=tell, as_of=day, wait_s=wait_s)
    except RunLocked:
        raise
    except RallyEtlError as error:
        return replace(due, state="failed", why=" ".join(str(error).splitlines()))
    conclude(document)
    state = "failed" if document["exit_code"] == 1 else ENDED[document["decision"]]
    return replace(due, state=state, run_id=document["run_id"], why=f"rally-etl show {document['run_id']}")


_HELD = sa.text(
    "select distinct r.run_id, r.operation ->> 'problem' as problem, r.operation ->> 'items' as digest"
    " from etl.runs as r join etl.run_leagues as l using (run_id)"
    " where l.state = 'held' and r.operation ->> 'problem' is not null order by r.run_id"
)
