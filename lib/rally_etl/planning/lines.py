"""Which live line each scraped line is that no match id ties: found by what it says, each live line at most once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlalchemy as sa

from rally_etl.planning import names
from rally_etl.planning.sql import read

if TYPE_CHECKING:
    from rally_etl.planning.scene import Scene

MOST_DAYS = 21
"""Between the dates of one line in two scrapes: scrapers stamped lines two weeks late; a pair meets twice a season."""

SEATS = ("home_player_1_id", "home_player_2_id", "away_player_1_id", "away_player_2_id")
HELD = "may be a known line"

Run = Callable[..., sa.CursorResult]
"""Executes one statement with the league's binds, and with those given by name."""


@dataclass(frozen=True, slots=True)
class _Step:
    """One step of a cascade over pairs of lines; *condition* and *evidence* are SQL over the pair."""

    strategy: str
    condition: str
    confidence: float
    evidence: str

    def moved(self) -> _Step:
        """The same within a team match of which another line was found on another date."""
        evidence = f"'the team match was moved; ' || {self.evidence}"
        return _Step("moved date", self.condition, self.confidence - 0.1, evidence)


# A person plays one line of a team match (9 exceptions in 52,000), so one known player tells the court; what else the
# lines say of their players may differ, files spell some ids in ways that nobody can relate. Equal scores alone are
# taken only where the other reading, two lines of the same score, has nothing for it.
_SAME_DATE = (
    _Step("players", "is_seated_alike and shared > 0", 0.98, "format('same date, teams and %s players', shared)"),
    _Step(
        "sides exchanged",
        "shared >= 2 and shared = wanted_people and shared = live_people",
        0.97,
        "format('same date, teams and %s players, seated differently', shared)",
    ),
    _Step("players", "shared >= 2", 0.95, "format('same date and teams, %s players in common', shared)"),
    _Step("line", "is_court_alike", 0.9, "'same date, teams and court'"),
    _Step("players", "shared >= 1", 0.9, "'same date and teams, one player in common'"),
    _Step(
        "score",
        "is_score_alike and is_court_alike is not false and (is_crowded or least(wanted_people, live_people) = 0)",
        0.8,
        "'same date, teams and score'",
    ),
    _Step(
        "last line",
        "is_alone and is_crowded and is_court_alike is not false",
        0.7,
        "'the only line of the team match that is left, and no court is'",
    ),
)
# With both dates on the schedule two team matches took place.
_MOVED = (
    _Step(
        "moved date",
        "is_score_alike and not (is_old_scheduled and is_new_scheduled)",
        0.95,
        "format('same teams, score and %s players; was on %s', people, old_date)",
    ),
    _Step(
        "moved date",
        "old_date is null or is_old_scheduled <> is_new_scheduled",
        0.85,
        "format('same teams and %s players; was on %s, and the schedule has one of the dates', people, old_date)",
    ),
)


def tie_lines(scene: Scene) -> None:
    """Give the rows of ``changed_lines`` without a live row theirs, where it can be found; what is uncertain is held.

    Fills the plan's table ``identified``. A row that stays without ``live_id`` is a new line.
    """
    connection = scene.connection
    binds = {
        "league": scene.league.key,
        "league_id": scene.league_id,
        "id_prefix": scene.id_prefix,
        "days": MOST_DAYS,
        "courts": scene.league.lines_per_team_match,
    }

    def run(sql: str, **more: object) -> sa.CursorResult:
        return connection.execute(sa.text(sql), binds | more)

    for name in _TABLES:
        run(f"drop table if exists pg_temp.{name}")
    run(_TIED)
    run(read("lines_doubled"))
    run(_TIE_DOUBLED)
    if run(_MAY_BE_KNOWN).scalar():
        names.write_live_names(scene, "match_scores", "home_team", "away_team")
        has_aliases = run("select exists (select from person_aliases)").scalar()
        for name, row in (("lines_wanted", "w"), ("lines_live", "l")):
            run(read(name).format(**{seat: _person(f"{row}.{seat}", has_aliases=has_aliases) for seat in SEATS}))
            run(f"analyze {name}")
        run(read("lines_claimed"))
        _tie_by_content(run)
        _hold(scene, run)
    run(_KEEP)
    run(_RECORD)


def _person(column: str, *, has_aliases: bool) -> str:
    """SQL of who a player id is, under any of the person's spellings."""
    key = f"regexp_replace({column}, :id_prefix, '')"
    return f"coalesce((select target from person_aliases where spelling = {key}), {key})" if has_aliases else key


_TABLES = (
    "tied", "doubled_ids", "lines_wanted", "lines_live", "left_wanted", "left_live", "line_pairs", "moved_pairs",
    "held_lines",
)  # fmt: skip
_TIED = """
create temporary table tied (
    record_hash uuid primary key, id integer not null unique, strategy text not null,
    confidence double precision not null, evidence text not null
) on commit drop
"""
_TIE_DOUBLED = """
insert into tied
select c.record_hash, d.id, 'doubled id', 1, 'the match id ended with its line several times'
from changed_lines as c join doubled_ids as d on d.normal_id = c.tenniscores_match_id and d.is_line
where c.live_id is null
"""
# Where both sides have all their match ids, another id is another line.
_MAY_BE_KNOWN = """
select exists (select from changed_lines where live_id is null and tenniscores_match_id is null)
    or exists (select from public.match_scores where league_id = :league_id and tenniscores_match_id is null)
"""
_LINE_PAIRS = """
create temporary table line_pairs (
    record_hash uuid, id integer, low integer, high integer, day date, is_moved boolean, shared integer,
    wanted_people integer, live_people integer, is_seated_alike boolean, is_score_alike boolean, is_court_alike boolean
) on commit drop
"""
_KEEP = """
update changed_lines as c
set live_id = t.id, tenniscores_match_id = coalesce(c.tenniscores_match_id, d.normal_id)
from tied as t left join doubled_ids as d on d.id = t.id
where t.record_hash = c.record_hash
"""
_RECORD = """
insert into identified (league, table_name, id, strategy, confidence, evidence)
select :league, 'match_scores', id, strategy, confidence, evidence from tied
"""
# Scraped lines with and without a match id, and the live ones that they can be: not another match id.
_SIDES = (("is not null", "is null"), ("is null", "is not null"), ("is null", "is null"))


def _tie_by_content(run: Run) -> None:
    for wanted, live in _SIDES:
        run(read("lines_same").format(wanted=f"w.match_id {wanted}", live=f"l.match_id {live}"))
    run("analyze tied")
    for side, key, condition in (("wanted", "record_hash", "true"), ("live", "id", "is_free")):
        left = f"{condition} and not exists (select from tied as t where t.{key} = w.{key})"
        run(read("lines_left").format(left=f"left_{side}", lines=f"lines_{side}", condition=left))
        run(f"analyze left_{side}")
    run(_LINE_PAIRS)
    _tie_team_matches(run, is_moved=False)
    run(read("lines_moved"))
    for step in _MOVED:
        _tie(run, step, _OPEN_MOVED)
    run(read("lines_moved_meetings"))
    _tie_team_matches(run, is_moved=True)


_OPEN_MOVED = """
select p.* from moved_pairs as p
where not exists (select from tied as t where t.record_hash = p.record_hash)
    and not exists (select from tied as t where t.id = p.id)
"""


def _tie_team_matches(run: Run, *, is_moved: bool) -> None:
    """Tie the lines of each team match, on the printed date or on the one it was moved from."""
    if not run(read("lines_pairs"), is_moved=is_moved).rowcount:
        return
    run("analyze line_pairs")
    pairs = f"select * from ({read('lines_open')}) as p where is_moved = :is_moved"
    for step in _SAME_DATE:
        _tie(run, step.moved() if is_moved else step, pairs, is_moved=is_moved)


def _tie(run: Run, step: _Step, pairs: str, **binds: object) -> None:
    sql = read("lines_tie").format(
        strategy=f"'{step.strategy}'",
        confidence=step.confidence,
        evidence=step.evidence,
        pairs=pairs,
        condition=step.condition,
    )
    run(sql, **binds)


def _hold(scene: Scene, run: Run) -> None:
    run(read("lines_held").format(open_pairs=read("lines_open")))
    run("delete from changed_lines as c using held_lines as h where h.record_hash = c.record_hash")
    for name, count in run("select name, count(*) from held_lines group by name"):
        scene.held["match_scores", HELD, name] += count
