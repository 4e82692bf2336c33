-- Standings of a run's candidate beside the lines they count, one row per league whose rule is known.

create table etl.standings (
    run_id   text not null references etl.runs on delete cascade,
    league   text not null,
    counts   jsonb not null default '{}', -- class -> teams: agrees, missing, ahead, forfeit, irregular, unprinted, ...
    teams    jsonb not null default '[]', -- those that do not agree: id, team, class, printed_and_recomputed
    computed bigint not null default 0, -- teams whose figures nobody printed: they were computed from the lines
    primary key (run_id, league)
);
