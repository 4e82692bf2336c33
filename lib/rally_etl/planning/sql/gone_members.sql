-- Active memberships that the scrape does not hold. While a question about a team is open, its members stay, and so do
-- the memberships of persons whom the scrape prints in a team that waits for an answer.
create temporary table gone_members on commit drop as
select l.id, l.person_key, l.team_id
from live_members as l
where
    l.is_active
    and not exists (select from placed_members as m where m.live_id = l.id)
    and (l.team_id = any(:protected)) is not true
    and not exists (select from waiting_persons as w where w.person_key = l.person_key)
