"""A feature: one page of the application, asked for everybody who has it."""

from __future__ import annotations

from dataclasses import dataclass

SUBJECTS = ("team", "player", "user", "club", "series")


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """The query behind one page, for all subjects of a league at once.

    Attributes:
        name: how the application calls it: `my_series`.
        title: what a captain calls it: "My series".
        route: where it is: `/mobile/my-series`.
        subject: whose page it is: ``team`` (teams.id), ``player`` (players.id), ``user`` (users.id), ``club``
            (clubs.id) or ``series`` (series.id).
        right: what a right answer is, in a sentence that begins with a verb: "shows one row per active team".
        sql: a query with bare names of tables, run on live and on the candidate. Binds: ``:league_id`` and ``:as_of``
            (the day of the scrape). Grain: one row per subject that has the page. Columns: ``subject_id`` bigint,
            ``works`` boolean (never null), ``shown`` text: what the page shows, in words of a captain.
        needs: user tables that the query reads; where one is missing in a database, the page is not there either.
    """

    name: str
    title: str
    route: str
    subject: str
    right: str
    sql: str
    needs: tuple[str, ...] = ()
