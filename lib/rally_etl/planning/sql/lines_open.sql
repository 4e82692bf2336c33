-- Pairs of which neither line is tied yet. A team match is crowded when live would have more lines of it than it has
-- courts if all that is left were new: then one of them is a line that live has.
select
    p.*,
    coalesce(l.line_count + w.line_count > cast(:courts as integer), false) as is_crowded,
    count(*) over (partition by p.record_hash, p.is_moved) = 1
    and count(*) over (partition by p.id, p.is_moved) = 1 as is_alone
from line_pairs as p
left join (
    select low, high, day, count(*) as line_count
    from left_wanted as w
    where not exists (select from tied as t where t.record_hash = w.record_hash)
    group by low, high, day
) as w using (low, high, day)
left join (select low, high, day, count(*) as line_count from lines_live group by low, high, day) as l
    using (low, high, day)
where
    not exists (select from tied as t where t.record_hash = p.record_hash)
    and not exists (select from tied as t where t.id = p.id)
