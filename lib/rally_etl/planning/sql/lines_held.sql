-- Lines that may be a live one, or may be another: a double would count twice in every record, a wrong tie would write
-- one result over another. They wait. What shares nothing with a live line but the date and the teams is new, and so is
-- another result on another date of the schedule.
create temporary table held_lines on commit drop as
select w.record_hash, w.name || ' on ' || w.match_date as name
from left_wanted as w
where
    exists (
        select from ({open_pairs}) as p
        where
            p.record_hash = w.record_hash
            and p.is_court_alike is not false
            and (p.shared > 0 or p.is_score_alike or p.is_crowded)
    )
    or exists (
        select from moved_pairs as p
        where
            p.record_hash = w.record_hash
            and not exists (select from tied as t where t.record_hash = p.record_hash or t.id = p.id)
            and (p.is_score_alike or not (p.is_old_scheduled and p.is_new_scheduled))
    )
