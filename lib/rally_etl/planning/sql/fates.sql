-- What became of every live row of a league, and why each new row is made: counts per fate and reason.
-- {table}, {plan}: the live and the planned rows; {rows}: which live rows are the league's; {is_off}: live rows that
-- were switched off before; {why_gone}, {why_removed}, {why_new}: why a row is deactivated, deleted, inserted.
insert into etl.fates (run_id, league, table_name, fate, why, row_count)
select :run, :league, :table, fate, why, count(*)
from (
    select
        case
            when p._op = 'deactivate' and m.from_id is not null then 'merged'
            when p._op = 'deactivate' then 'deactivated'
            when p._op = 'delete' then 'removed'
            when p._op = 'update' then 'updated'
            when i.id is not null then 'kept'
            else 'untouched'
        end as fate,
        case
            when p._op = 'deactivate' then {why_gone}
            when p._op = 'delete' then {why_removed}
            when i.id is not null then i.strategy
            when p._op = 'update' then 'changed'
            when l.id = any(:protected) then 'a question about it is open'
            when {is_off} then 'no longer active'
            else 'not in the scrape'
        end as why
    from {table} as l
    left join {plan} as p on p.id = l.id and :league = any(p._leagues)
    left join identified as i on i.table_name = :table and i.league = :league and i.id = l.id
    left join new_redirects as m on m.table_name = :table and m.from_id = l.id
    where {rows}
    union all
    select
        'new',
        coalesce(i.strategy, {why_new})
    from {plan} as p
    left join identified as i on i.table_name = :table and i.league = :league and i.id = p.id
    where p._op = 'insert' and :league = any(p._leagues)
) as each
group by fate, why
