"""What notebook 02 shows of an import: files, what was kept aside, names, who was found how, and what is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rally_etl.identity import wording
from rally_etl.measures import counted
from rally_etl.reporting import recorded
from rally_etl.reporting.tables import Note, Table, in_words

if TYPE_CHECKING:
    from rally_etl.workbook import Book

CERTAIN = ("exact", "canonical", "id", "new")
"""Strategies about which there is nothing to doubt."""
SHOWN = 60

NAMES = """
    select strategy, league, kind, printed, series, coalesce(team_name, 'held') as team, sum(row_count) as rows
    from names group by 1, 2, 3, 4, 5, 6, team_id is not null
    order by team_id is not null, strategy in ('exact', 'canonical'), 7 desc limit 60
"""
# One row per thing or printed side that was found; a side counts as often as it is printed.
FOUND = """
    select table_name as what, strategy, count(*) as found, min(confidence) as lowest from identified group by 1, 2
    union all
    select 'sides of ' || kind, case when team_id is null then 'not found' else strategy end,
           cast(sum(row_count) as bigint), min(confidence)
    from names where kind in ('match_scores', 'schedules') group by 1, 2
    order by 1, 2
"""
DOUBTFUL = """
    select what, league, name, found_as as "found as", strategy, confidence, evidence, rows from (
        select i.table_name as what, i.league, coalesce(n.name, '') as name, i.table_name || ' ' || i.id as found_as,
               i.strategy, i.confidence, i.evidence, null as rows
        from identified as i
        left join lateral (
            select name from (
                select 'teams' as of_table, id, team_name as name from teams
                union all select 'teams', id, team_name from public.teams
                union all select 'players', id, concat_ws(' ', first_name, last_name) from players
                union all select 'players', id, concat_ws(' ', first_name, last_name) from public.players
                union all select 'clubs', id, name from clubs
                union all select 'clubs', id, name from public.clubs
                union all select 'series', id, name from series
                union all select 'series', id, name from public.series
                union all select 'match_scores', id, home_team || ' v ' || away_team || ' on ' || match_date
                          from public.match_scores
            ) as named where named.of_table = i.table_name and named.id = i.id limit 1) as n on true
        where not (i.strategy = any(:certain)) or i.confidence < 1
        union all
        select 'sides of ' || kind, league, printed || case when opponent = '' then '' else ' v ' || opponent end,
               coalesce(team_name, 'held'), strategy, case when team_id is null then 0 else confidence end, evidence,
               row_count
        from names
        where kind in ('match_scores', 'schedules')
          and (team_id is null or not (strategy = any(:certain)) or confidence < 1)
    ) as found
    order by confidence, rows desc nulls last, what, name limit :shown
"""


def files(book: Book) -> Table | Note:
    """Files of the run and what became of their records."""
    columns = "league kind records staged quarantined faults orientation votes_home votes_away".split()
    found = book.of_run(recorded.source_files)
    rows = [
        {name: row[name] for name in columns}
        | {"kB": (row["size_bytes"] or 0) // 1000, "sha256": (row["sha256"] or "")[:12], "fault": row["fault"]}
        for row in found
    ]
    again = [row["path"] for row in found if recorded.REPLAYED in row["path"]]
    note = f"Read again, because rows of theirs waited for an answer: {'; '.join(again)}." if again else ""
    title, empty = "Files: records read = staged + quarantined", "The scrape holds no files."
    return Table(rows, title=title, empty=empty, note=note)


def quarantine(book: Book) -> Any:
    """A chart of the records that were kept aside, by reason."""
    from rally_etl.reporting import charts

    reasons: dict[str, dict] = {}
    for row in book.of_run(recorded.quarantine_by_reason):
        found = reasons.setdefault(row["reason"], {"reason": row["reason"], "class": row["class"], "records": 0})
        found["records"] += row["records"]
    if not reasons:
        return Note("No record was kept aside.")
    total = sum(row["records"] for row in reasons.values())
    title = f"{counted(total, 'record was', 'records were')} kept aside, by reason"
    return charts.bars(list(reasons.values()), "reason", "records", title=title, axis="Records", kind="class")


def quarantine_examples(book: Book) -> Table | Note:
    """Two records of each reason with all their faults."""
    rows = [row | {"faults": in_words(row["faults"])} for row in book.of_run(recorded.quarantine_examples)]
    return Table(rows, title="Examples of quarantined records", empty="No record was kept aside.")


def names(book: Book) -> Table | Note:
    """How printed team names were resolved, the doubtful ones first."""
    return Table(book.plan_table("names", NAMES), title="Team names resolved", empty="No team name was resolved yet.")


def identities(book: Book) -> Table | Note:
    """What was not found by its very name: the least certain first, with the evidence."""
    found = book.plan_table("identified", DOUBTFUL, certain=list(CERTAIN), shown=SHOWN)
    rows = [row | {"confidence": wording.percent(row["confidence"])} for row in found]
    counts: dict[str, list[str]] = {}
    for row in book.plan_table("identified", FOUND):
        counts.setdefault(row["what"], []).append(f"{row['found']:,} {row['strategy']}")
    told = [f"{what.replace('_', ' ')}: {', '.join(ways)}" for what, ways in counts.items()]
    note = f"Found in all: {'; '.join(told)}." if told else ""
    if told and not rows:
        return Note(f"Nothing is doubtful. {note}")
    return Table(rows, title="Found by more than the name", empty="Nothing was identified yet.", note=note)


def identities_chart(book: Book) -> Any:
    """How many teams, players, clubs, series and sides of matches were found by which strategy."""
    from rally_etl.reporting import charts

    rows = book.plan_table("identified", FOUND)
    if not rows:
        return Note("Nothing was identified yet.")
    return charts.strategies(rows, title=charts.strategies_title(rows))


def reviews(book: Book) -> Table | Note:
    """The questions that this run asks, those that rows wait for first."""
    rows = [
        {
            "number": question.number, "league": question.league,
            "about": wording.subject(question.review), "question": wording.asked(question.review),
            "candidates": "; ".join(wording.candidate_in_words(found) for found in question.review.candidates),
            "until answered": wording.consequence(question.review, question.held_rows),
        }
        for question in book.of_run(recorded.reviews)
    ]  # fmt: skip
    title, note = "Questions for a person", "Answer in a terminal: rally-etl reviews tells how."
    return Table(rows[:SHOWN], title=title, empty="This run asks nobody anything.", note=note)


def fates(book: Book) -> Table | Note:
    """What became of every live row, and why every new one is made."""
    rows = [
        {"league": row["league"], "table": row["table_name"], "fate": row["fate"], "why": row["why"]}
        | {"rows": row["row_count"]}
        for row in book.of_run(recorded.fates)
    ]
    return Table(rows, title="What becomes of every row", empty="No row was accounted for yet.")
