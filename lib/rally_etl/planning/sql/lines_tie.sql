-- One step of a cascade: pairs that meet a condition are tied where it leaves neither line another choice.
insert into tied (record_hash, id, strategy, confidence, evidence)
select
    record_hash,
    id,
    {strategy},
    {confidence},
    {evidence}
from (
    select
        *,
        count(*) over (partition by record_hash) as for_wanted,
        count(*) over (partition by id) as for_live
    from ({pairs}) as p
    where {condition}
) as chosen
where for_wanted = 1 and for_live = 1
