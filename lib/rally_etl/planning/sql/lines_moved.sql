-- Every scraped line beside the live lines of the same teams and the same players on another date near by, with what the
-- schedule and the score say about them. The dates are `:days` apart at most: in a season two teams meet twice.
create temporary table moved_pairs on commit drop as
select
    w.record_hash,
    l.id,
    l.day as old_date,
    w.match_date as new_date,
    cardinality(w.people) as people,
    l.scores in (w.scores, w.swapped) as is_score_alike,
    exists (
        select from fixtures as f where f.low = l.low and f.high = l.high and f.match_date = l.day
    ) as is_old_scheduled,
    exists (
        select from fixtures as f where f.low = w.low and f.high = w.high and f.match_date = w.match_date
    ) as is_new_scheduled
from left_wanted as w
join left_live as l using (low, high, people)
where
    cardinality(w.people) >= 3
    and (l.day is null or (l.day <> w.match_date and abs(l.day - w.match_date) <= :days))
    and (w.match_id is null or l.match_id is null)
    and not exists (select from tied as t where t.record_hash = w.record_hash)
    and not exists (select from tied as t where t.id = l.id)
