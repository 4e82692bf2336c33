-- Live lines whose match id ends with its `_LineN` several times, under the id that is meant. Of several only the first
-- can be that line, and none where live has the id itself: such a row is a double that a person removes.
create temporary table doubled_ids on commit drop as
select
    l.id,
    l.normal_id,
    row_number() over (partition by l.normal_id order by length(l.printed_id), l.id) = 1
    and not exists (select from public.match_scores as n where n.tenniscores_match_id = l.normal_id) as is_line
from (
    select
        id,
        tenniscores_match_id as printed_id,
        regexp_replace(tenniscores_match_id, '(_Line[0-9]+)\1+$', '\1') as normal_id
    from public.match_scores
    where league_id = :league_id and tenniscores_match_id like '%\_Line%\_Line%'
) as l
where l.normal_id <> l.printed_id
