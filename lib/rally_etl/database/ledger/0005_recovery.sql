-- What a run that died needs to go on, and how often it has.

-- What decided, when the run began, what its notebooks would find: SHA-256 of params and notebooks, the product's
-- version, and the last step of any league to or from live. A run is resumed only where all of it is the same.
alter table etl.runs add inputs jsonb;

-- How often the notebook was begun: again after an error that passes by itself, and when the run was resumed.
alter table etl.stages add attempts integer not null default 0;

create table etl.resumptions (
    run_id      text not null references etl.runs on delete cascade,
    number      integer not null,
    resumed_at  timestamptz not null default clock_timestamp(),
    first_stage text,                 -- the first one that was not sealed; null: all were, the publishing went on
    had_died    text not null,        -- what was known of the end before
    primary key (run_id, number)
);
