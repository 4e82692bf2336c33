"""Questions about rows that may be one thing: what is known of each, for the person who decides."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass

import sqlalchemy as sa

from rally_etl.database.catalog import quote
from rally_etl.identity.aliases import EVERYWHERE
from rally_etl.identity.reviews import DOUBLED, Candidate, Review
from rally_etl.measures import counted
from rally_etl.planning.clubs import merge_candidates
from rally_etl.planning.merge import ENTITIES
from rally_etl.protection.constraints.doubles import Copies
from rally_etl.protection.constraints.twins import Group

_WRITERS = sa.text(
    """
    select distinct t.relname as table_name, a.attname as column_name
    from pg_constraint as c
    join pg_class as t on t.oid = c.conrelid
    join pg_attribute as a on a.attrelid = c.conrelid and a.attnum = c.conkey[1]
    where c.contype = 'f' and cardinality(c.conkey) = 1 and c.confrelid = to_regclass('public.users')
    order by 1, 2
    """
)
_ACCOUNTS = sa.text(
    """
    select a.tenniscores_player_id as person, a.user_id, concat_ws(' ', u.first_name, u.last_name) as name,
           to_jsonb(a) ->> 'created_at' as since
    from public.user_player_associations as a left join public.users as u on u.id = a.user_id
    where a.tenniscores_player_id in (
        select tenniscores_player_id from public.user_player_associations group by 1 having count(*) > 1)
    order by 1, to_jsonb(a) ->> 'created_at' nulls last, 2
    """
)
_PERSONS = sa.text(
    "select distinct on (tenniscores_player_id) tenniscores_player_id as person, league_id,"
    " concat_ws(' ', first_name, last_name) as name from public.players where tenniscores_player_id = any(:persons)"
    " order by tenniscores_player_id, is_active is not false desc, id"
)


@dataclass(frozen=True, slots=True)
class Doubt:
    """One question with the league it is asked in, and how many rows it is about."""

    league: str
    review: Review
    rows: int


def about_groups(groups: Iterable[Group], leagues: Mapping[int, list[str]], fallback: str) -> list[Doubt]:
    """Are these rows one thing? Clubs are asked about in a league whose teams they have."""
    doubts = []
    for group in groups:
        if group.table == "leagues":
            candidates = tuple(Candidate(row.id, row.name, "exact", 0.9, "the same key") for row in group.rows)
            review = Review("league", DOUBLED, group.spelling, group.rows[0].name, "", candidates, is_held=True)
            doubts.append(Doubt(fallback, review, len(group.rows)))
            continue
        league = group.league
        if league == EVERYWHERE:
            league = next((key for row in group.rows for key in leagues.get(row.id, ())), fallback)
        candidates = merge_candidates(group.rows)
        review = Review(
            ENTITIES[group.table], "merge", group.spelling, group.rows[0].name, "", candidates, is_held=False
        )
        doubts.append(Doubt(league, review, len(group.rows)))
    return doubts


def about_copies(copies: Iterable[Copies], keys: Mapping[int, str], fallback: str) -> list[Doubt]:
    """Which of the rows under one key is right?"""
    return [
        Doubt(
            keys.get(each.league_id, fallback),
            Review(
                "row",
                DOUBLED,
                f"{each.table}: {each.said}",
                f"{each.table} {each.said}",
                "",
                tuple(
                    Candidate(row, f"row {row}", "row", round(1 / len(each.ids), 2), f"they differ in {each.differing}")
                    for row in each.ids
                ),
                is_held=True,
            ),
            len(each.ids),
        )
        for each in copies
    ]


def answered(connection: sa.Connection, copies: Iterable[Copies]) -> list[tuple[int, int]]:
    """(Row that is wrong, row that is right) of imported rows about which a person has decided."""
    right = dict(
        connection.execute(
            sa.text(
                "select distinct on (spelling) spelling, target from etl.reviews where kind = :kind and entity = 'row'"
                " and state = 'accepted' order by spelling, decided_at desc"
            ),
            {"kind": DOUBLED},
        ).all()
    )
    found = []
    for each in copies:
        target = right.get(f"{each.table}: {each.said}")
        if target in {str(row) for row in each.ids}:
            found += [(row, int(target)) for row in each.ids if str(row) != target]
    return found


def about_accounts(connection: sa.Connection, keys: Mapping[int, str], fallback: str) -> list[Doubt]:
    """Whose is a player that several users have: who, since when, and how much each has written."""
    rows = connection.execute(_ACCOUNTS).all()
    if not rows:
        return []
    written = _written(connection, [row.user_id for row in rows])
    persons = {row.person: row for row in connection.execute(_PERSONS, {"persons": [row.person for row in rows]})}
    accounts: dict[str, list[sa.Row]] = defaultdict(list)
    for row in rows:
        accounts[row.person].append(row)
    doubts = []
    for person, users in accounts.items():
        total = sum(written[row.user_id] + 1 for row in users)
        candidates = [
            Candidate(
                row.user_id,
                f"{row.name or 'user'} (user {row.user_id})",
                "account",
                round((written[row.user_id] + 1) / total, 2),
                f"since {(row.since or 'an unknown day')[:10]}, {counted(written[row.user_id], 'row')} written",
            )
            for row in users
        ]
        candidates.sort(key=lambda each: -each.confidence)
        known = persons.get(person)
        name = f"{known.name} ({person})" if known else person
        review = Review("player", DOUBLED, person, name, "", tuple(candidates), is_held=True)
        doubts.append(Doubt(keys.get(known.league_id, fallback) if known else fallback, review, len(users)))
    return doubts


def _written(connection: sa.Connection, users: list[int]) -> Counter[int]:
    """User -> rows that are theirs, in every table that refers to users."""
    found: Counter[int] = Counter()
    for row in connection.execute(_WRITERS).all():
        column = quote(row.column_name)
        if row.table_name == "user_player_associations":
            continue
        counts = connection.execute(
            sa.text(
                f"select {column} as user_id, count(*) as row_count from {quote('public', row.table_name)}"
                f" where {column} = any(:users) group by 1"
            ),
            {"users": users},
        )
        found.update({each.user_id: each.row_count for each in counts})
    return found


def write_doubts(connection: sa.Connection, run_id: str, doubts: Iterable[Doubt]) -> None:
    """Bring the queue up to what was found: known questions are updated, new ones get a number.

    What a person has decided about the same candidates is not asked again; questions of kind `DOUBLED` that are no
    longer found are closed.
    """
    asked = {
        (each.league, each.review.entity, each.review.kind, each.review.spelling): {"league": each.league}
        | {name: value for name, value in asdict(each.review).items() if name != "told"}
        | {"held_rows": each.rows if each.review.is_held else 0}
        for each in doubts
    }
    binds = {"run": run_id, "rows": json.dumps(list(asked.values()))}
    for statement in (_UPDATE, _INSERT):
        connection.execute(statement, binds)
    connection.execute(_CLOSE, {"run": run_id, "kind": DOUBLED})


_ASKED = """jsonb_to_recordset(cast(:rows as jsonb)) as asked(
    league text, entity text, kind text, spelling text, name text, series text, candidates jsonb, is_held boolean,
    held_rows bigint)"""
_SAME = "r.league = asked.league and r.entity = asked.entity and r.kind = asked.kind and r.spelling = asked.spelling"
_IDS = "(select array_agg(c ->> 'id' order by c ->> 'id') from jsonb_array_elements({}.candidates) as c)"
_UPDATE = sa.text(
    f"""
    update etl.reviews as r
    set name = asked.name, candidates = asked.candidates, held_rows = asked.held_rows, last_run = :run
    from {_ASKED}
    where r.state = 'open' and {_SAME}
    """
)
_INSERT = sa.text(
    f"""
    insert into etl.reviews (league, entity, kind, spelling, name, series, candidates, is_held, held_rows, first_run,
                             last_run)
    select asked.league, asked.entity, asked.kind, asked.spelling, asked.name, asked.series, asked.candidates,
           asked.is_held, asked.held_rows, :run, :run
    from {_ASKED}
    where not exists (
        select from etl.reviews as r where {_SAME} and (r.state = 'open' or r.state in ('accepted', 'rejected')
        and {_IDS.format("r")} = {_IDS.format("asked")}))
    order by asked.league, asked.entity, asked.spelling
    """
)
_CLOSE = sa.text(
    "update etl.reviews set state = 'obsolete', decided_at = clock_timestamp()"
    " where state = 'open' and kind = :kind and last_run <> :run"
)
