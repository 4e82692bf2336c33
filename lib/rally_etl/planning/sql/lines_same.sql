-- Lines that say the same in every respect, counted: of equal ones the first is the first, the second the second.
insert into tied (record_hash, id, strategy, confidence, evidence)
with wanted as (
    select
        *,
        row_number() over (
            partition by day, low, high, is_low_home, low_side, high_side, scores order by line, match_id, record_hash
        ) as number
    from lines_wanted as w
    where {wanted} and not exists (select from tied as t where t.record_hash = w.record_hash)
),

live as (
    select
        *,
        row_number() over (
            partition by day, low, high, is_low_home, low_side, high_side, scores order by line, match_id, id
        ) as number
    from lines_live as l
    where is_free and {live} and not exists (select from tied as t where t.id = l.id)
)

select
    w.record_hash,
    l.id,
    case when w.low_side || w.high_side = '' then 'score' else 'players' end,
    case when w.low_side || w.high_side = '' then 0.8 else 1 end,
    case when w.low_side || w.high_side = '' then 'same date, teams and score, no player known'
    else 'same date, teams, players and score' end
from wanted as w
join live as l using (day, low, high, is_low_home, low_side, high_side, scores, number)
where w.line is null or l.line is null or w.line = l.line
