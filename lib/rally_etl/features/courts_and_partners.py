"""Courts and partners: on which courts a player plays, and with whom.

The court is the number in `_LineN` at the end of the match id, the partner the other printed id of the same side. A
suffix that is missing or stands there twice gives no court; an id that no player has gives no name. A league whose
files had no match ids has no courts, and what a file left blank has no partner.
"""

from __future__ import annotations

from rally_etl.features.feature import Feature
from rally_etl.features.lines_of_players import PLAYED
from rally_etl.features.phrases import numbered

BLANK = 0.2
"""Share of lines that a file may leave without a partner, beside one."""

FEATURE = Feature(
    name="courts_and_partners",
    title="Courts and partners",
    route="/mobile/analyze-me#courts",
    subject="player",
    right="gives each line of the player a court from 1 to 5 and a partner with a name",
    sql=f"""
    with {PLAYED},
    ids as (
        select coalesce(sum(with_id), 0) > 0 as are_given from played
    ),
    known as (
        select distinct tenniscores_player_id as person from players where league_id = :league_id
    ),
    page as (
        select
            l.person,
            sum(l.lines) as lines,
            sum(l.lines - l.with_court) as without_court,
            sum(l.lines) filter (where l.partner <> '' and k.person is null) as nameless,
            sum(l.lines) filter (where coalesce(l.partner, '') = '') as blank,
            count(distinct k.person) as partners
        from played as l
        left join known as k on k.person = l.partner
        group by l.person
    ),
    answer as materialized (
        select
            p.id as subject_id,
            g.lines,
            g.partners,
            case
                when i.are_given and g.without_court > 0 then g.without_court || ' without a court'
                when g.nameless > 0 then g.nameless || ' with a partner whom nobody knows'
                when g.blank > greatest(1, {BLANK} * g.lines) then g.blank || ' without a partner'
            end as wrong
        from page as g
        cross join ids as i
        join players as p on p.tenniscores_player_id = g.person
        where p.league_id = :league_id and p.is_active is not false
    )
    select
        subject_id,
        wrong is null as works,
        concat(
            {numbered("lines", "line")}, ' with ', {numbered("partners", "partner")}, ': ' || wrong
        ) as shown
    from answer
    """,
)
