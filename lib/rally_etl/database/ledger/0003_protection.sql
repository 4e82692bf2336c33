-- What users wrote is never lost: what their rows were when last seen, what was found broken, how it was mended.

-- Rows of users as they were last seen, so that one that goes, or is emptied, or is re-pointed, is missed and known.
-- Only rows that refer to imported rows, without columns that hold secrets. Keys as `concat_ws(', ', <key columns>)`.
create table etl.user_rows (
    table_name text not null,
    row_key    text not null,
    image      jsonb not null,           -- of the row; under "_names" the name of what each reference pointed at
    row_hash   bigint not null,          -- hash_record_extended of the row, secrets left out
    noted_at   timestamptz not null default clock_timestamp(),   -- when it was first seen like this
    run_id     text,
    gone_at    timestamptz,              -- when it was first missed; NULL while it is there
    primary key (table_name, row_key)
);

-- The account of a run: what users' rows and references were before, and are in the candidate, and afterwards in live.
create table etl.accounts (
    run_id      text not null references etl.runs on delete cascade,
    moment      text not null check (moment in ('baseline', 'candidate', 'live')),
    table_name  text not null,
    column_name text not null default '',  -- '' is about the rows of the table, else about one reference
    target      text not null default '',
    label       text not null default '',  -- what one row is, in words: poll, practice time
    row_count   bigint not null,           -- rows at this moment; of a reference, those that are not NULL
    same        bigint not null,           -- present and unchanged; of a reference, means the same by id and by name
    renamed     bigint not null default 0, -- the same thing under another name, as decided
    repointed   bigint not null default 0, -- another id, the same thing: what a repair or merge does
    changed     bigint not null default 0, -- content is another
    added       bigint not null default 0,
    gone        bigint not null default 0, -- was there and is not
    lost        bigint not null default 0, -- reference that points nowhere
    moved       bigint not null default 0, -- reference that points at another thing
    emptied     bigint not null default 0, -- reference that is NULL and was not
    dangling    bigint not null default 0, -- reference that pointed nowhere before, too
    fingerprint text not null default '',
    primary key (run_id, moment, table_name, column_name)
);

-- What a run without a scrape found wrong and what it makes of it, one row per column that changes (or row, or question).
create table etl.repairs (
    run_id       text not null,
    number       integer not null,
    kind         text not null,          -- rally_etl.protection.orphans.KINDS, or `doubled`
    action       text not null check (action in ('update', 'insert', 'deactivate', 'delete', 'merge', 'none')),
    table_name   text not null,
    row_key      text not null,
    column_name  text not null default '',
    was          text,
    becomes      text,
    image        jsonb,                  -- of a row that comes back
    target_table text not null default '',
    name         text not null default '',   -- what it stands for, as far as it is known
    league       text not null default '*',
    strategy     text not null,
    confidence   double precision not null,
    evidence     text not null,
    state        text not null check (state in ('planned', 'asked', 'left')),
    primary key (run_id, number)
);

-- Constraints that a repair adds or drops, so that an undo can take them back.
create table etl.constraint_changes (
    run_id     text not null,
    number     integer not null,         -- the order in which they are made
    table_name text not null,
    name       text not null,
    action     text not null check (action in ('add', 'drop', 'validate')),
    definition text not null,            -- the statement that makes it
    done_at    timestamptz,              -- NULL while it is planned, and where it could not be done
    fault      text,                     -- why it could not be done
    undone_at  timestamptz,
    primary key (run_id, table_name, name, action)
);

-- Somebody else's importer that ran under protection.
create table etl.guards (
    run_id        text primary key references etl.runs on delete cascade,
    command       text not null,         -- as given, secrets masked
    started_at    timestamptz not null default clock_timestamp(),
    finished_at   timestamptz,
    command_exit  integer,               -- the command's own; NULL while it runs or when it was stopped
    ending        text,                  -- exited, timed out, killed
    output        text,                  -- path of its output in the run's folder
    preserved     bigint,                -- ids of teams, players, clubs, series and leagues that still mean the same
    entities      bigint,                -- all of them before the command
    method        text check (method in ('nothing', 'direct', 'old_ids', 'snapshot')),
    why           text,
    fingerprint   text,                  -- of the snapshot
    restored      text,                  -- of live after the database went back to it; NULL if it did not
    details       jsonb not null default '{}'
);

-- Questions about rows of users that have lost what they point at, or whose right owner is not known.
alter table etl.reviews drop constraint reviews_entity_check;
alter table etl.reviews add constraint reviews_entity_check
    check (entity in ('team', 'club', 'series', 'player', 'league', 'row'));
alter table etl.reviews add column told text not null default '';  -- of an orphan: which rows, and what is known

-- Rows of users that a guarded command, or somebody while it ran, had added or changed, and that the way back to the
-- snapshot could not leave as they were.
create table etl.guard_rows (
    number     bigint generated always as identity primary key,
    run_id     text not null,
    table_name text not null,
    row_key    text not null,
    why        text not null,
    image      jsonb not null            -- of the row; secrets left out
);
create index guard_rows_run_id on etl.guard_rows (run_id);
