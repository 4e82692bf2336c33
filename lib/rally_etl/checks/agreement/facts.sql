-- What queries of agreements may read, made once per league of a run: temporary tables, each with statistics.

-- One row per match line whose two teams are known.
create temporary table lines on commit drop as
select
    s.match_date, s.winner, h.team_id as home_id, a.team_id as away_id, h.team_name as home, a.team_name as away,
    s.home_player_1_id, s.home_player_2_id, s.away_player_1_id, s.away_player_2_id
from etl.staged_match_scores as s
join names as h
    on h.league = :league and h.kind = 'match_scores' and h.printed = s.home_team
    and h.opponent = s.away_team and h.series = coalesce(s.series, '')
join names as a
    on a.league = :league and a.kind = 'match_scores' and a.printed = s.away_team
    and a.opponent = s.home_team and a.series = coalesce(s.series, '')
where s.league = :league and h.team_id is not null and a.team_id is not null;

-- One row per team match: two teams on a day.
create temporary table team_matches on commit drop as
select
    match_date, home_id, away_id, least(home_id, away_id) as low, greatest(home_id, away_id) as high,
    format('%s v %s on %s', min(home), min(away), match_date) as fact
from lines
where match_date is not null
group by match_date, home_id, away_id;

-- One row per meeting on the schedule of two known teams.
create temporary table meetings on commit drop as
select distinct
    s.match_date, h.team_id as home_id,
    least(h.team_id, a.team_id) as low, greatest(h.team_id, a.team_id) as high
from etl.staged_schedules as s
join names as h
    on h.league = :league and h.kind = 'schedules' and h.printed = s.home_team
    and h.opponent = s.away_team and h.series = coalesce(s.series, '')
join names as a
    on a.league = :league and a.kind = 'schedules' and a.printed = s.away_team
    and a.opponent = s.home_team and a.series = coalesce(s.series, '')
where s.league = :league and s.match_date is not null and h.team_id is not null and a.team_id is not null;

-- One row per team match that the schedule has within two weeks, with the nearest meeting, files disagree about hosts.
create temporary table paired on commit drop as
select distinct on (p.low, p.high, p.match_date, p.home_id)
    p.fact, p.match_date, m.match_date as scheduled_date, p.home_id, m.home_id as scheduled_home_id
from team_matches as p
join meetings as m on m.low = p.low and m.high = p.high and abs(p.match_date - m.match_date) <= 14
order by p.low, p.high, p.match_date, p.home_id, abs(p.match_date - m.match_date), m.match_date;

-- One row per person and team of the match file, a person is told by the id without what leagues put before it.
create temporary table played on commit drop as
select
    regexp_replace(player_id, :id_prefix, '') as person_key,
    team_id,
    cast(sum(won) as bigint) as won,
    cast(sum(lost) as bigint) as lost,
    cast(sum(line_count) as bigint) as line_count
from (
    select
        seat.player_id,
        seat.team_id,
        count(*) filter (where seat.side = l.winner) as won,
        count(*) filter (where seat.side <> l.winner) as lost,
        count(*) as line_count
    from lines as l
    cross join lateral (
        values
        ('home', l.home_id, l.home_player_1_id),
        ('home', l.home_id, l.home_player_2_id),
        ('away', l.away_id, l.away_player_1_id),
        ('away', l.away_id, l.away_player_2_id)
    ) as seat (side, team_id, player_id)
    where seat.player_id is not null
    group by seat.player_id, seat.team_id
) as spelled
group by 1, 2;

-- One row per person and known team of the rosters.
create temporary table rosters on commit drop as
select distinct on (p.person_key, n.team_id)
    p.person_key, n.team_id, n.team_name, concat_ws(' ', p.first_name, p.last_name) as player_name,
    coalesce(p.wins, 0) as won, coalesce(p.losses, 0) as lost
from etl.staged_players as p
join names as n
    on n.league = :league and n.kind = 'players' and n.printed = p.team and n.series = coalesce(p.series, '')
where p.league = :league and n.team_id is not null
order by p.person_key, n.team_id, (p.series = n.series_name) desc nulls last, p.record_hash;

-- One row per live line that the match file holds too: by its match id, or by what it says.
create temporary table known_lines on commit drop as
select l.id, l.match_date, l.home_team, l.away_team, l.home_team_id, l.away_team_id, l.scores, l.winner
from public.match_scores as l
where l.league_id = :league_id and (
    l.tenniscores_match_id in (select match_id from etl.staged_match_scores where league = :league)
    or l.id in (select id from identified where league = :league and table_name = 'match_scores')
);
