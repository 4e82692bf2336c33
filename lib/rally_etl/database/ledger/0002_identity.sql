-- Who is who: what evidence and people have decided about names, and under which names everything was seen.

-- An alias: another spelling of something that exists. Decided by a person (review, merge) or by evidence (roster, name).
create table etl.aliases (
    id         bigserial primary key,
    league     text not null,            -- key of the league; '*' for clubs, which leagues share
    entity     text not null check (entity in ('team', 'club', 'series', 'player')),
    spelling   text not null,            -- rally_etl.identity.spelling; for players the person key
    target     text not null,            -- id of the live row; for players the person key that live knows
    strategy   text not null check (strategy in ('review', 'merge', 'roster', 'name')),
    confidence double precision not null,
    evidence   text not null,
    run_id     text,
    decided_by text,
    reason     text,
    created_at timestamptz not null default clock_timestamp(),
    ended_at   timestamptz               -- an alias that no longer holds is ended, never removed
);
create unique index aliases_in_force on etl.aliases (league, entity, spelling) where ended_at is null;

-- A live row that was merged into another one.
create table etl.redirects (
    id         bigserial primary key,
    table_name text not null,
    from_id    integer not null,
    into_id    integer not null check (into_id <> from_id),
    run_id     text not null,
    decided_by text not null,
    reason     text not null,
    created_at timestamptz not null default clock_timestamp(),
    ended_at   timestamptz               -- when the merge was undone
);
create unique index redirects_in_force on etl.redirects (table_name, from_id) where ended_at is null;

-- Questions that only a person can answer; `rally-etl reviews` lists the open ones by number.
create table etl.reviews (
    number     bigserial primary key,
    league     text not null,
    entity     text not null check (entity in ('team', 'club', 'series', 'player')),
    kind       text not null,
    spelling   text not null,
    name       text not null,            -- as printed
    series     text not null default '',
    candidates jsonb not null default '[]',  -- [{id, name, strategy, confidence, evidence}], the likeliest first
    is_held    boolean not null,         -- whether rows wait for the answer
    held_rows  bigint not null default 0,
    state      text not null default 'open' check (state in ('open', 'accepted', 'rejected', 'obsolete')),
    first_run  text not null,
    last_run   text not null,
    target     text,
    decided_by text,
    reason     text,
    raised_at  timestamptz not null default clock_timestamp(),
    decided_at timestamptz
);
create unique index reviews_open on etl.reviews (league, entity, kind, spelling) where state = 'open';

-- Under which names, in which series and league a thing was seen, from when to when; the open interval is how it is now.
create table etl.entity_history (
    table_name text not null,            -- clubs, series, teams, players
    entity_id  integer not null,
    league     text not null,            -- key; '*' for clubs
    name       text not null,
    series     text not null default '',
    team       text not null default '', -- of a player
    is_active  boolean not null,         -- series: whether an active team plays in it
    valid_from timestamptz not null default clock_timestamp(),
    valid_to   timestamptz,
    run_id     text,                     -- the run that published it
    ended_run  text
);
create unique index entity_history_now on etl.entity_history (table_name, entity_id, league) where valid_to is null;
create index entity_history_by_id on etl.entity_history (table_name, entity_id);

-- What became of every live row that a run could have touched, and why every new row was made: counts per reason.
create table etl.fates (
    run_id     text not null references etl.runs on delete cascade,
    league     text not null,
    table_name text not null,
    fate       text not null check (fate in ('kept', 'updated', 'deactivated', 'merged', 'untouched', 'new', 'removed')),
    why        text not null,
    row_count  bigint not null,
    primary key (run_id, league, table_name, fate, why)
);

-- What a run without a scrape does: {"kind": "merge", ...}; NULL for an import.
alter table etl.runs add column operation jsonb;

-- The live row of the league, whatever its key is spelled like there; NULL until the plan is made.
alter table etl.run_leagues add column league_id integer;

-- A roster row with the mark of a substitute, "(S)": plays for the team without being a member of it.
alter table etl.staged_players add column is_substitute boolean not null default false;
