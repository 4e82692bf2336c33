"""What a plan says that life hardly says: records newly kept aside, persons under other names, figures that shrink.

Each is small enough to pass every share of a file, and true often enough that a person should look.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

import sqlalchemy as sa

from rally_etl.database.catalog import IMPORTED, Table, quote
from rally_etl.identity.similarity import likeness
from rally_etl.measures import counted, measure
from rally_etl.planning.sql import read

if TYPE_CHECKING:
    from rally_etl.measures import Measures

SAME_PERSON = 0.8
"""Likeness from which on two names without a common word are two spellings of one."""

_CAREER = """
    select count(*) from players as p join players_before as b using (id)
    where :league = any(p._leagues)
      and (p.career_wins < b.career_wins or p.career_losses < b.career_losses or p.career_matches < b.career_matches)
    """
_EMPTIED = """
    select b.team_name from teams as p join teams_before as b using (id)
    where :league = any(p._leagues)
      and (btrim(b.display_name) <> '' and (btrim(p.display_name) <> '') is not true
           or btrim(b.team_alias) <> '' and (btrim(p.team_alias) <> '') is not true)
    order by b.team_name
    """
_BARE_CLUBS = """
    select c.name from clubs as c
    where c._op = 'insert' and :league = any(c._leagues)
      and not exists (select from teams as t where t.club_id = c.id)
      and not exists (select from public.teams as t where t.club_id = c.id)
    order by c.name
    """
# a question that no published import has left unanswered is still new
_QUESTIONS = """
    select q.name || ' may be known under another id: ' || coalesce(q.candidates -> 0 ->> 'evidence', 'the same name')
    from etl.reviews as q
    where q.league = :league and q.last_run = :run and q.state = 'open' and q.entity = 'player' and not q.is_held
      and not exists (
          select from etl.run_leagues as r join etl.runs as u using (run_id)
          where r.league = q.league and r.run_id <> :run and u.operation is null and r.published_at > q.raised_at)
    order by q.number
    """
_OTHER_SEASONS = """
    select '{kind}: ' || p.home_team || ' v ' || p.away_team || ' on ' || p.match_date
    from {table} as p
    join etl.source_files as f on f.run_id = :run and f.league = :league and f.kind = '{kind}' and f.fault is null
    where p._op = 'insert' and :league = any(p._leagues)
      and p.match_date not between make_date(f.season - 1, 8, 1) - 90 and make_date(f.season, 7, 31) + 90
    order by p.match_date, p.home_team
    """
_RATINGS = """
    select count(*) filter (where s.pti is null) as lost, count(*) as known
    from etl.staged_players as s
    where s.league = :league
      and exists (select from etl.source_files as f
                  where f.run_id = :run and f.league = :league and f.kind = 'players' and f.fault is null)
      and exists (select from public.players as l
                  where l.tenniscores_player_id = s.player_id and l.league_id = :league_id and l.is_active
                    and l.pti is not null)
    """


def improbable_measures(
    connection: sa.Connection, catalog: dict[str, Table], binds: dict[str, object], id_prefix: str
) -> Measures:
    """Measures of one league; the plan's schema comes first in ``search_path``.

    Args:
        binds: ``run``, ``league`` and ``league_id``.
        id_prefix: what precedes a person in an id of the league, a regular expression.
    """

    def ask(sql: str) -> list[str]:
        return list(connection.execute(sa.text(sql), binds).scalars())

    aside = connection.execute(sa.text(read("newly_aside")), binds).all()
    renamed = connection.execute(sa.text(read("renamed_persons")), binds).all()
    others = [row for row in renamed if _is_another(row)]
    shrunk = ask(_CAREER)[0]
    seasons = [
        name
        for kind, table in (("match_scores", "match_scores"), ("schedules", "schedule"))
        for name in ask(_OTHER_SEASONS.format(kind=kind, table=table))
    ]
    meetings = connection.execute(sa.text(read("meetings_unprinted")), binds).all()
    of_charts = binds | {"id_prefix": id_prefix}
    charts = connection.execute(sa.text(read("charts_lost")), of_charts).scalar_one()
    moved = connection.execute(sa.text(read("readings_strayed")), of_charts).scalar_one()
    ratings = connection.execute(sa.text(_RATINGS), binds).one()
    emptied, bare, asked = ask(_EMPTIED), ask(_BARE_CLUBS), ask(_QUESTIONS)
    removed, strayed = _removed(connection, catalog, binds), _strayed(connection, catalog, binds)
    return {
        "records_newly_aside": measure(
            sum(row.more for row in aside),
            [f"{row.kind}: {row.more:,} {row.reason}{f' {row.name}' if row.name else ''}" for row in aside],
        ),
        "persons_renamed": measure(
            len(others),
            [f"{row.first_before} {row.last_before} is now {row.first_now} {row.last_now}" for row in others],
        ),
        "players_to_confirm": measure(len(asked), asked),
        "career_figures_shrunk": measure(shrunk, [counted(shrunk, "player")] if shrunk else []),
        "ratings_missing_share": measure(
            ratings.lost / ratings.known if ratings.known else 0.0,
            [f"{ratings.lost:,} of {ratings.known:,} known ratings are not printed; live keeps them"]
            if ratings.lost
            else [],
        ),
        "charts_lost": measure(charts, [f"{counted(charts, 'person')} with a chart in live"] if charts else []),
        "team_names_emptied": measure(len(emptied), emptied),
        "clubs_without_teams": measure(len(bare), bare),
        "rows_of_other_seasons": measure(len(seasons), seasons),
        "meetings_unprinted": measure(
            len(meetings), [f"{row.home_team} v {row.away_team} on {row.match_date}" for row in meetings]
        ),
        "rows_removed": measure(sum(removed.values()), [f"{name}: {count:,}" for name, count in removed.items()]),
        "rows_strayed": measure(
            moved + sum(strayed.values()),
            [f"{name}: {count:,} to another league" for name, count in strayed.items()]
            + ([f"player_history: {moved:,} to another person"] if moved else []),
        ),
    }


def _words(name: str) -> set[str]:
    apart = unicodedata.normalize("NFKD", name)
    plain = "".join(character for character in apart if not unicodedata.combining(character))
    return set(re.findall(r"[^\W\d_]+", plain.casefold()))


def _is_another(row: sa.Row) -> bool:
    """Whether a name means somebody else, or has lost most of its last name.

    A marriage, a nickname, a suffix, and a name cut in two at another place leave a word as it was.
    """
    before, now = f"{row.first_before} {row.last_before}", f"{row.first_now} {row.last_now}"
    is_cut = row.last_before.casefold().startswith(row.last_now.casefold()) and (
        2 * len(row.last_now) < len(row.last_before)
    )
    return is_cut or (not _words(before) & _words(now) and likeness(before, now) < SAME_PERSON)


def _removed(connection: sa.Connection, catalog: dict[str, Table], binds: dict[str, object]) -> dict[str, int]:
    """Table -> live rows of the league that the plan deletes."""
    return _counts(connection, catalog, binds, "select count(*) from {plan} as p where p._op = 'delete' and {due}")


def _strayed(connection: sa.Connection, catalog: dict[str, Table], binds: dict[str, object]) -> dict[str, int]:
    """Table -> live rows that the plan gives to another league."""
    with_league = {name: table for name, table in catalog.items() if table.has("league_id") and table.has("id")}
    with_league.pop("leagues", None)
    sql = "select count(*) from {plan} as p join {before} as b using (id) where p.league_id <> b.league_id and {due}"
    return _counts(connection, with_league, binds, sql)


def _counts(connection: sa.Connection, catalog: dict[str, Table], binds: dict[str, object], sql: str) -> dict[str, int]:
    counts = {}
    for name in IMPORTED:
        if name in catalog:
            parts = {"plan": quote(name), "before": quote(f"{name}_before"), "due": ":league = any(p._leagues)"}
            counts[name] = connection.execute(sa.text(sql.format(**parts)), binds).scalar_one()
    return {name: count for name, count in counts.items() if count}
