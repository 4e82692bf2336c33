-- title: An active player is a person and no placeholder
-- severity: warn
-- dimension: validity
-- owner: league-data
-- why: A menu entry or a substitute mark scraped as a person can be put into line-ups (incident 30: 276 rows).
-- mend: Switch the row off (is_active = false) once nothing of a user refers to it, and have the scraper leave the entry out.
select
    id,
    tenniscores_player_id,
    first_name,
    last_name
from players
where
    league_id = :league_id
    and is_active is not false
    and (
        concat_ws(' ', first_name, last_name) !~* '\(S\M|No Player|^Court \d|Unknown|PTI Algo|\((Default|Forfeit)\)'
        and btrim(first_name) <> ''
        and btrim(last_name) <> ''
        -- ids of the site have a dash, an underscore or 32 characters, "sharing" is an entry of its menu
        and (tenniscores_player_id ~ '[-_]' or length(tenniscores_player_id) >= 32)
    ) is not true
