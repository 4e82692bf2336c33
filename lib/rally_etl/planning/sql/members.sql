-- One row per person and team of the scraped rosters. Of several records of one membership (a roster read twice under
-- a wrong series) the one that prints the team's own series is taken; the rest say the same again.
create temporary table members on commit drop as
select distinct on (s.person_key, n.team_id)
    s.person_key,
    s.player_id,
    s.first_name,
    s.last_name,
    s.pti,
    s.wins,
    s.losses,
    s.win_percentage,
    s.captain,
    s.career_wins,
    s.career_losses,
    s.career_win_percentage,
    n.team_id,
    n.club_id,
    n.series_id
from etl.staged_players as s
join names as n
    on n.league = :league and n.kind = 'players' and n.printed = s.team and n.series = coalesce(s.series, '')
where s.league = :league and n.team_id is not null
order by s.person_key, n.team_id, (s.series = n.series_name) desc nulls last, s.pti is null, s.record_hash
