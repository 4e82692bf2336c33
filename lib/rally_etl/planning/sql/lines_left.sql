-- What is left of one side, with the persons of each line in order.
create temporary table {left} on commit drop as
select
    w.*,
    array(
        select distinct person
        from unnest(string_to_array(low_side || ' ' || high_side, ' ')) as person
        where person <> ''
        order by person
    ) as people
from {lines} as w
where {condition}
