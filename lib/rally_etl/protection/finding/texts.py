"""References of users beside a text of the same row that names another thing than their id."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import sqlalchemy as sa

from rally_etl.database.references import Reference
from rally_etl.protection.finding.broken import orphan, read_broken, what_of
from rally_etl.protection.finding.ground import Ground
from rally_etl.protection.finding.knowledge import Knowledge, Known, club_of, is_one_thing
from rally_etl.protection.finding.wording import practice_of
from rally_etl.protection.orphans import Orphan


def find_misplaced_practices(ground: Ground) -> Iterator[Orphan]:
    """Practice rows whose text ``<Club> Practice - <Series>`` names another club or series than their team's."""
    reference = _reference(ground, "schedule", "home_team_id")
    if reference is None or not ground.has("schedule", "home_team"):
        return
    pairs = ground.connection.execute(
        sa.text(
            "select u.home_team as text, u.home_team_id as id, t.team_name as name, t.league_id,"
            " c.name as club, s.name as series"
            f" from (select distinct home_team, home_team_id from {ground.rows(reference)} as p) as u"
            " join public.teams as t on t.id = u.home_team_id"
            " left join public.clubs as c on c.id = t.club_id"
            " left join public.series as s on s.id = t.series_id"
        )
    ).all()
    known = Knowledge.read(ground, "teams", (str(row.id) for row in pairs if practice_of(row.text)))
    wrong = {(row.text, str(row.id)): row for row in pairs if _is_misplaced(ground, known, row)}
    if not wrong:
        return
    rows = read_broken(
        ground,
        reference,
        f"from {ground.rows(reference)} as u join unnest(cast(:texts as text[]), cast(:ids as integer[]))"
        " as x(text, id) on x.text = u.home_team and x.id = u.home_team_id",
        {"texts": [text for text, _ in wrong], "ids": [int(number) for _, number in wrong]},
        beside="x.text",
    )
    for row in rows:
        pair = wrong[row.beside, row.was]
        told = f"{what_of(reference, row)} is of team {row.was}, which is {pair.name} of {pair.club} in {pair.series}"
        found = orphan(ground, reference, "moved", row, Known(), had=row.had, told=told)
        club, series = practice_of(row.beside) or ("", "")
        yield replace(found, club=club, series=series)


def find_misnamed_players(ground: Ground) -> Iterator[Orphan]:
    """Availability of a player whose name is not the one that the row says, or is and somebody else bears it."""
    reference = _reference(ground, "player_availability", "player_id")
    if reference is None or not ground.has("player_availability", "player_name"):
        return
    in_series = "true"
    if ground.has("player_availability", "series_id"):
        in_series = "o.series_id = u.series_id"
    pairs = ground.connection.execute(
        sa.text(
            f"""
            with said as (
                select distinct u.player_name, u.player_id{", u.series_id" if in_series != "true" else ""}
                from public.player_availability as u
            )
            select u.player_name as text, u.player_id as id, concat_ws(' ', p.first_name, p.last_name) as name,
                   bool_or(exists (select from public.players as o where o.id <> p.id
                           and o.tenniscores_player_id <> p.tenniscores_player_id and {in_series}
                           and {_spelled("concat_ws(' ', o.first_name, o.last_name)")} = {_spelled("u.player_name")}))
                   as is_anothers
            from said as u join public.players as p on p.id = u.player_id
            where u.player_name <> concat_ws(' ', p.first_name, p.last_name)
              and {_spelled("u.player_name")} <> {_spelled("concat_ws(' ', p.first_name, p.last_name)")}
            group by 1, 2, 3
            """
        )
    ).all()
    known = Knowledge.read(ground, "players", (str(row.id) for row in pairs))
    wrong = {
        (row.text, str(row.id)): row
        for row in pairs
        if row.is_anothers or not _is_known_as(ground, known, row.id, row.text, row.name)
    }
    if not wrong:
        return
    rows = read_broken(
        ground,
        reference,
        "from public.player_availability as u join unnest(cast(:texts as text[]), cast(:ids as integer[]))"
        " as x(text, id) on x.text = u.player_name and x.id = u.player_id",
        {"texts": [text for text, _ in wrong], "ids": [int(number) for _, number in wrong]},
    )
    for row in rows:
        pair = wrong[row.person, row.was]
        told = f"{what_of(reference, row)} is of player {row.was}, who is {pair.name}"
        had = row.had
        yield orphan(ground, reference, "moved", row, Known(name=row.person), had=had, told=told)


def _reference(ground: Ground, table: str, column: str) -> Reference | None:
    return next((each for each in ground.references if (each.table, each.column) == (table, column)), None)


def _is_misplaced(ground: Ground, known: Knowledge, row: sa.Row) -> bool:
    """Whether the text names a club or series that the team is not in, and was not under this id."""
    said = practice_of(row.text)
    if said is None:
        return False
    club, series = said
    league = ground.league(row.league_id)
    seen = known.under_other_names(row.id, league, row.name)
    clubs = [row.club, *(club_of(ground, each.league, each.name, each.series) for each in seen)]
    names = [row.series, *(each.series for each in seen)]
    is_club = any(name and is_one_thing(ground, "clubs", league, club, name) for name in clubs)
    is_series = any(name and is_one_thing(ground, "series", league, series, name) for name in names)
    return not (is_club and is_series)


def _is_known_as(ground: Ground, known: Knowledge, number: int, text: str, name: str) -> bool:
    """Whether a player has, or had by a run's doing, a name."""
    names = [name, *(row.name for row in known.under_other_names(number, None, name))]
    return any(is_one_thing(ground, "players", None, text, each) for each in names)


def _spelled(name: str) -> str:
    """SQL of a person's name without case and double blanks."""
    return f"lower(regexp_replace(btrim({name}), '\\s+', ' ', 'g'))"
