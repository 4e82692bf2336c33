-- Every scraped line beside every live line of the same team match, with what they have in common. Two different match
-- ids are two lines.
insert into line_pairs
select
    w.record_hash,
    l.id,
    w.low,
    w.high,
    w.day,
    :is_moved,
    cardinality(array(select unnest(w.people) intersect select unnest(l.people))) as shared,
    cardinality(w.people) as wanted_people,
    cardinality(l.people) as live_people,
    w.low_side = l.low_side and w.high_side = l.high_side as is_seated_alike,
    l.scores in (w.scores, w.swapped) as is_score_alike,
    w.line = l.line as is_court_alike
from left_wanted as w
join left_live as l using (low, high, day)
where
    (w.match_id is null or l.match_id is null)
    and (w.match_date <> w.day) = :is_moved
    and not exists (select from tied as t where t.record_hash = w.record_hash)
    and not exists (select from tied as t where t.id = l.id)
