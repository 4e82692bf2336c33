-- Whether the sources of a run tell the same, and how many rows of each series its files held.

create table etl.agreements (
    run_id   text not null references etl.runs on delete cascade,
    league   text not null,
    name     text not null, -- of params/agreement.yaml
    title    text not null,
    outcome  text not null check (outcome in ('passed', 'measured', 'warned', 'held', 'failed', 'errored', 'skipped')),
    compared bigint not null default 0, -- facts that were looked at
    agreeing bigint not null default 0, -- of them, those that both sources tell alike
    bound    double precision, -- tolerated share of the others: of the next outcome, or of the one that was reached
    told     jsonb not null default '[]', -- the worst of the others, in words
    seconds  double precision,
    note     text, -- why it was skipped or could not run
    primary key (run_id, league, name)
);

-- Rows of one file of the run and series. A series keeps its id when it is spelled anew, so that a later load can be
-- compared; rows that name no known team are not counted.
create table etl.volumes (
    run_id    text not null references etl.runs on delete cascade,
    league    text not null,
    kind      text not null,
    series_id integer not null,
    series    text not null,
    row_count bigint not null,
    primary key (run_id, league, kind, series_id)
);
