-- Planned rows of an imported table that say what another row says already; what live had before stays.
-- {table}, {live}: planned and live rows; {columns}: what makes two rows one; {first}: the first of them; {rows}: which
-- rows are compared.
select id
from (
    select id, is_planned, row_number() over (partition by {columns} order by is_planned, id) as place
    from (
        select id, {columns}, true as is_planned
        from {table}
        where {rows}
        union all
        select id, {columns}, false
        from {live} as l
        where
            {rows} and {first} in (select {first} from {table})
            and not exists (select from {table} as p where p.id = l.id)
    ) as candidate
) as numbered
where place > 1 and is_planned
