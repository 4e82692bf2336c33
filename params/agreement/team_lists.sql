-- One row per team that either file names: does the other one name it too?
with listed as (
    select distinct
        kind,
        coalesce(cast(team_id as text), printed) as team,
        coalesce(team_name, printed) as team_name
    from names
    where league = :league and kind in (:one, :other)
)

select
    min(team_name) as fact,
    count(distinct kind) = 2 as agrees,
    'only in ' || min(kind) as told,
    0 as distance
from listed
group by team
