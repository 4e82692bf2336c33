-- Whom an incident touches may differ from league to league: one is live, another was not published.

alter table etl.incident_leagues
add column whom text not null default '';
