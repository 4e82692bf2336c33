-- A person known in the league keeps the spelling of the id that users refer to, in new memberships too.
create temporary table known_persons on commit drop as
select distinct on (person_key) person_key, tenniscores_player_id
from live_members
order by person_key, is_own desc, is_active desc, id
