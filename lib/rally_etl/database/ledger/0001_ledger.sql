-- The ledger: what every run read, planned, decided and published.

create table etl.runs (
    run_id        text primary key,
    started_at    timestamptz not null default clock_timestamp(),
    finished_at   timestamptz,
    source        text not null,
    as_of         date not null,
    dry_run       boolean not null default false,
    status        text not null default 'running' check (status in ('running', 'completed', 'failed')),
    decision      text check (decision in ('GO', 'HOLD', 'NO-GO')),
    exit_code     integer,
    health_score  numeric(5, 2),
    report        text,
    error         text,
    versions      jsonb not null default '{}',
    backend_pid   integer
);

create table etl.stages (
    run_id      text not null references etl.runs on delete cascade,
    stage       text not null,
    ordinal     integer not null,
    status      text not null default 'pending'
        check (status in ('pending', 'running', 'completed', 'failed', 'timed_out', 'died', 'skipped')),
    started_at  timestamptz,
    finished_at timestamptz,
    error       text,
    primary key (run_id, stage)
);

create table etl.run_leagues (
    run_id       text not null references etl.runs on delete cascade,
    league       text not null,
    decision     text check (decision in ('GO', 'HOLD', 'NO-GO')),
    state        text not null default 'planned'
        check (state in ('planned', 'audited', 'held', 'refused', 'approved', 'published', 'verified', 'failed')),
    plan_hash    text,
    plan_counts  jsonb not null default '{}',
    reasons      jsonb not null default '[]',
    published_at timestamptz,
    cause        text,
    primary key (run_id, league)
);

create table etl.source_files (
    run_id         text not null references etl.runs on delete cascade,
    league         text not null,
    kind           text not null,
    path           text not null,
    sha256         text,
    size_bytes     bigint,
    ruleset        text,
    records        integer,
    staged         integer,
    quarantined    integer,
    faults         integer,
    votes_home     integer,
    votes_away     integer,
    orientation    text check (orientation in ('home', 'away')),
    season         integer,
    fault          text,
    primary key (run_id, league, kind)
);
create index source_files_by_load on etl.source_files (league, kind, sha256);

create table etl.quarantine (
    sha256    text not null,
    ruleset   text not null,
    league    text not null,
    kind      text not null,
    record_no integer not null,
    reason    text not null,
    faults    jsonb not null,
    original  text not null,
    primary key (sha256, ruleset, league, kind, record_no)
);

create table etl.held_rows (
    run_id    text not null references etl.runs on delete cascade,
    league    text not null,
    kind      text not null,
    reason    text not null,
    name      text not null,
    row_count integer not null,
    primary key (run_id, league, kind, reason, name)
);

create table etl.check_results (
    run_id       text not null references etl.runs on delete cascade,
    league       text not null,
    check_name   text not null,
    severity     text not null,
    outcome      text not null check (outcome in ('passed', 'warned', 'failed', 'errored', 'skipped')),
    failing_rows bigint,
    threshold    double precision,
    seconds      double precision,
    error        text,
    sample       jsonb not null default '[]',
    primary key (run_id, league, check_name)
);

create table etl.metrics (
    run_id text not null references etl.runs on delete cascade,
    league text not null,
    stage  text not null,
    metric text not null,
    value  double precision not null,
    detail jsonb not null default '[]',
    primary key (run_id, league, stage, metric)
);

create table etl.approvals (
    run_id      text not null references etl.runs on delete cascade,
    league      text not null,
    approved_by text not null,
    reason      text not null,
    plan_hash   text not null,
    approved_at timestamptz not null default clock_timestamp(),
    primary key (run_id, league)
);

-- Staged rows: a cache of the newest file of each league and kind. Unlogged on purpose, and staged_files with them,
-- so that after a crash of the server all of them are empty together and the next run reads its files anew.
create unlogged table etl.staged_files (
    league        text not null,
    kind          text not null,
    sha256        text not null,
    ruleset       text not null,
    records       integer not null,
    staged        integer not null,
    quarantined   integer not null,
    record_hashes bytea not null,
    primary key (league, kind)
);
alter table etl.staged_files alter column record_hashes set storage external;

create unlogged table etl.staged_players (
    league                text not null,
    record_hash           uuid not null,
    record_no             integer not null,
    player_id             text,
    person_key            text,
    first_name            text,
    last_name             text,
    team                  text,
    series                text,
    pti                   numeric,
    wins                  integer,
    losses                integer,
    win_percentage        numeric,
    captain               boolean,
    career_wins           integer,
    career_losses         integer,
    career_win_percentage numeric,
    scraped_at            timestamp
);

create unlogged table etl.staged_match_scores (
    league           text not null,
    record_hash      uuid not null,
    record_no        integer not null,
    match_id         text,
    line             integer,
    match_date       date,
    home_team        text,
    away_team        text,
    series           text,
    home_player_1_id text,
    home_player_2_id text,
    away_player_1_id text,
    away_player_2_id text,
    scores           text,
    scores_swapped   text,
    winner           text,
    vote             integer not null
);

create unlogged table etl.staged_series_stats (
    league       text not null,
    record_hash  uuid not null,
    record_no    integer not null,
    series       text,
    team         text,
    points       numeric,
    matches_won  integer,
    matches_lost integer,
    matches_tied integer,
    lines_won    integer,
    lines_lost   integer,
    lines_for    integer,
    lines_ret    integer,
    sets_won     integer,
    sets_lost    integer,
    games_won    integer,
    games_lost   integer
);

create unlogged table etl.staged_schedules (
    league      text not null,
    record_hash uuid not null,
    record_no   integer not null,
    match_date  date,
    match_time  time,
    home_team   text,
    away_team   text,
    location    text,
    series      text
);

create unlogged table etl.staged_player_history (
    league       text not null,
    record_hash  uuid not null,
    record_no    integer not null,
    point_no     integer not null,
    player_id    text,
    person_key   text,
    series       text,
    history_date date,
    end_pti      numeric
);
