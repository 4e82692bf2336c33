-- Match lines of the scrape with the teams, players and orientation that live has: one row per line.
-- The four player ids are the live spellings of printed ids where a league spells ids in several ways.
select
    s.match_id as tenniscores_match_id,
    cast(:league_id as integer) as league_id,
    s.match_date,
    h.team_name as home_team,
    a.team_name as away_team,
    h.team_id as home_team_id,
    a.team_id as away_team_id,
    {home_player_1_id} as home_player_1_id,
    {home_player_2_id} as home_player_2_id,
    {away_player_1_id} as away_player_1_id,
    {away_player_2_id} as away_player_2_id,
    {scores} as scores,
    s.winner,
    s.record_hash
from etl.staged_match_scores as s
join names as h
    on h.league = :league and h.kind = 'match_scores' and h.printed = s.home_team
    and h.opponent = s.away_team and h.series = coalesce(s.series, '')
join names as a
    on a.league = :league and a.kind = 'match_scores' and a.printed = s.away_team
    and a.opponent = s.home_team and a.series = coalesce(s.series, '')
{person_joins}
where s.league = :league and h.team_id is not null and a.team_id is not null
