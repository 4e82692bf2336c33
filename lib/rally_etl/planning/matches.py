"""Match lines: one live row per line, found again by its match id or by what it says."""

from __future__ import annotations

import sqlalchemy as sa

from rally_etl.planning.compare import Wanted, plan_changes
from rally_etl.planning.lines import SEATS, tie_lines
from rally_etl.planning.scene import Scene
from rally_etl.planning.sql import read

_COMPARED = (
    "league_id", "match_date", "home_team", "away_team", "home_team_id", "away_team_id", *SEATS, "scores", "winner",
)  # fmt: skip
# Scrapers stamp re-read lines with the date of the page: later than the truth. So the date of a known line stays when
# the schedule has the meeting on it; else it is corrected to one that the schedule has, or to an earlier one that is no
# further from the schedule; it never moves forward without the schedule.
_MEETING = "f.low = least(w.home_team_id, w.away_team_id) and f.high = greatest(w.home_team_id, w.away_team_id)"
_DATE = f"""
case
    when l.match_date is null or w.match_date = l.match_date then w.match_date
    when w.match_date is null then l.match_date
    when exists (select from fixtures as f where {_MEETING} and f.match_date = l.match_date) then l.match_date
    when exists (select from fixtures as f where {_MEETING} and f.match_date = w.match_date) then w.match_date
    when w.match_date > l.match_date then l.match_date
    when (select min(abs(f.match_date - w.match_date)) > min(abs(f.match_date - l.match_date))
          from fixtures as f where {_MEETING}) then l.match_date
    else w.match_date
end
"""
MOST_LINES = 5
"""Lines of a team match, of any league."""

_VALUES = {name: f"w.{name}" for name in _COMPARED} | {
    "match_date": _DATE,
    "tenniscores_match_id": "coalesce(w.tenniscores_match_id, l.tenniscores_match_id)",
}
_PERSON_KEY = "regexp_replace({}, :id_prefix, '')"


def plan_matches(scene: Scene, orientation: str) -> None:
    """Plan the lines of the scrape, scores home first.

    Args:
        orientation: the side whose number is printed first in this file, ``home`` or ``away``.
    """
    connection = scene.connection
    binds = {"league": scene.league.key, "league_id": scene.league_id}
    for name in ("fixtures", "spellings", "repeated"):
        connection.execute(sa.text(f"drop table if exists pg_temp.{name}"))
    connection.execute(sa.text("create temporary table repeated (record_hash uuid primary key) on commit drop"))
    lines = _lines_sql(scene, orientation)
    table = scene.catalog["match_scores"]
    _write_fixtures(scene)
    if not _has_lines(scene):
        if _set_repeated_aside(scene):
            lines = f"select * from ({lines}) as w where w.record_hash not in (select record_hash from repeated)"
        plan_changes(connection, table, Wanted(lines, _VALUES, join="false"), scene.league.key, binds)
        return
    # Not a temporary table: PostgreSQL compares a season of lines on several cores only into an ordinary one.
    compared = ", ".join(f"l.{name}" for name in _COMPARED)
    asked = ", ".join(f"w.{name}" for name in _COMPARED)
    connection.execute(
        sa.text(
            f"""
            create unlogged table changed_lines as
            select w.*, l.id as live_id from ({lines}) as w
            left join public.match_scores as l
                on l.tenniscores_match_id = w.tenniscores_match_id and l.league_id = w.league_id
            where l.id is null or row({compared}) is distinct from row({asked})
            """
        ),
        binds,
    )
    connection.execute(sa.text("analyze changed_lines"))
    # of two records with one match id at most one can be what live says, so the other is among the changed
    if _set_repeated_aside(scene, "and match_id in (select tenniscores_match_id from changed_lines)"):
        connection.execute(sa.text("delete from changed_lines where record_hash in (select record_hash from repeated)"))
    if connection.execute(sa.text("select exists (select from changed_lines where live_id is null)")).scalar():
        tie_lines(scene)
        _date_as_their_meeting(scene)
    wanted = "select w.*, w.live_id as id from changed_lines as w"
    plan_changes(connection, table, Wanted(wanted, _VALUES), scene.league.key, binds)
    connection.execute(
        sa.text(
            f"""
            insert into kept_dates
            select :league, l.id, l.match_date, w.match_date
            from changed_lines as w join public.match_scores as l on l.id = w.live_id
            where w.match_date <> l.match_date and {_DATE} = l.match_date
            """
        ),
        binds,
    )
    connection.execute(sa.text("drop table changed_lines"))


def _date_as_their_meeting(scene: Scene) -> None:
    """Give new lines of a team match that live has, by its match id, the date by which its other lines go.

    They are printed with the date of the page like the lines beside them, and would tear the team match in two.
    """
    scene.connection.execute(
        sa.text(
            f"""
            with lines as (
                select distinct
                    split_part(tenniscores_match_id, '_Line', 1) as meeting,
                    split_part(tenniscores_match_id, '_Line', 1) || '_Line' || number as match_id
                from changed_lines cross join generate_series(1, {MOST_LINES}) as number
                where live_id is null and position('_Line' in tenniscores_match_id) > 0
            ),
            l as materialized (
                select n.meeting, min(m.match_date) as match_date
                from lines as n
                join public.match_scores as m on m.tenniscores_match_id = n.match_id and m.league_id = :league_id
                group by n.meeting
            )
            update changed_lines as w set match_date = {_DATE}
            from l
            where w.live_id is null and l.meeting = split_part(w.tenniscores_match_id, '_Line', 1)
                and w.match_date <> l.match_date
            """
        ),
        {"league_id": scene.league_id},
    )


def _has_lines(scene: Scene) -> bool:
    return _scalar(scene, "select exists (select from public.match_scores where league_id = :league_id)")


def _scalar(scene: Scene, sql: str) -> bool:
    """One value asked about the scene's league."""
    return scene.connection.execute(
        sa.text(sql), {"league": scene.league.key, "league_id": scene.league_id}
    ).scalar_one()


def _write_fixtures(scene: Scene) -> None:
    """Where and when the planned schedule has two teams meet; the pair in no order, files disagree about the host."""
    scene.connection.execute(
        sa.text(
            """
            create temporary table fixtures on commit drop as
            select distinct
                least(home_team_id, away_team_id) as low, greatest(home_team_id, away_team_id) as high, match_date
            from (
                select home_team_id, away_team_id, match_date from schedule where league_id = :league_id
                union all
                select home_team_id, away_team_id, match_date from public.schedule as l
                where league_id = :league_id and not exists (select from schedule as p where p.id = l.id)
            ) as s
            where home_team_id is not null and away_team_id is not null
            """
        ),
        {"league_id": scene.league_id},
    )
    scene.connection.execute(sa.text("create index on fixtures (low, high, match_date)"))
    scene.connection.execute(sa.text("analyze fixtures"))


def _lines_sql(scene: Scene, orientation: str) -> str:
    parts = {name: f"s.{name}" for name in SEATS}
    joins = ""
    if _spells_ids_differently(scene):
        _write_spellings(scene)
        for name in SEATS:
            joins += f"left join spellings as {name} on {name}.printed = s.{name}\n"
            parts[name] = f"coalesce({name}.live, s.{name})"
    scores = "s.scores" if orientation == "home" else "s.scores_swapped"
    return read("lines").format(**parts, scores=scores, person_joins=joins)


def _set_repeated_aside(scene: Scene, among: str = "") -> int:
    """Find all but one of the records that share a match id, so that they are not taken; return how many.

    Args:
        among: SQL condition that narrows the match ids looked at.
    """
    scene.connection.execute(sa.text("truncate repeated"))
    found = scene.connection.execute(
        sa.text(
            f"""
            insert into repeated
            select record_hash from (
                select record_hash,
                       row_number() over (partition by match_id order by winner is null, record_hash) as number
                from etl.staged_match_scores
                where league = :league and match_id in (
                    select match_id from etl.staged_match_scores
                    where league = :league {among} and match_id is not null group by match_id having count(*) > 1
                )
            ) as each where number > 1
            """
        ),
        {"league": scene.league.key},
    ).rowcount
    if found:
        scene.held["match_scores", "repeated", "a match id printed again in another record"] += found
    return found


def _spells_ids_differently(scene: Scene) -> bool:
    """Whether persons have several ids: by an alias, or because lines or rosters use more than one prefix of ids."""
    seats = " or ".join(f"not starts_with(s.{name}, o.prefix)" for name in SEATS)
    return _scalar(
        scene,
        f"""
        with everybody as (
            select tenniscores_player_id from public.players where league_id = :league_id
            union all select tenniscores_player_id from players where league_id = :league_id
        ),
        one as (select left(tenniscores_player_id, 5) as prefix from everybody limit 1)
        select exists (select from everybody, one as o where not starts_with(tenniscores_player_id, o.prefix))
            or exists (select from etl.staged_match_scores as s, one as o where s.league = :league and ({seats}))
            or exists (select from person_aliases)
        """,
    )


def _write_spellings(scene: Scene) -> None:
    """Printed player id -> the id under which live knows the same person, where the two differ."""
    printed = " union ".join(
        f"select {name} as printed from etl.staged_match_scores where league = :league" for name in SEATS
    )
    scene.connection.execute(
        sa.text(
            f"""
            create temporary table spellings on commit drop as
            select p.printed, min(k.live) as live
            from ({printed}) as p
            left join person_aliases as n on n.spelling = {_PERSON_KEY.format("p.printed")}
            join (
                select distinct on (person_key) coalesce(a.target, own_key) as person_key, live
                from (
                    select {_PERSON_KEY.format("tenniscores_player_id")} as own_key, tenniscores_player_id as live, id
                    from (
                        select tenniscores_player_id, id from public.players where league_id = :league_id
                        union all
                        select tenniscores_player_id, id from players where league_id = :league_id and _op = 'insert'
                    ) as everybody
                ) as persons
                left join person_aliases as a on a.spelling = persons.own_key
                order by person_key, a.target is not null, id
            ) as k on k.person_key = coalesce(n.target, {_PERSON_KEY.format("p.printed")})
            where p.printed is not null and p.printed <> k.live
            group by p.printed
            """
        ),
        {"league": scene.league.key, "league_id": scene.league_id, "id_prefix": scene.id_prefix},
    )
    scene.connection.execute(sa.text("analyze spellings"))
