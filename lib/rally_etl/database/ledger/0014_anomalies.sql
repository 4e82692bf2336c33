-- What was unusual, or heads for a threshold, at a run or at a look at live: what charts mark and reports tell.
create table etl.anomalies (
    run_id    text references etl.runs on delete cascade,
    look      bigint references etl.looks on delete cascade,
    league    text not null, -- `*`: the database or the run as a whole
    kind      text not null check (kind in ('anomaly', 'forecast')),
    metric    text not null,
    subject   text not null default '',
    subjects  text[] not null default '{}', -- others that changed from the same cause, the worst first
    value     double precision not null,
    expected  double precision not null,
    low       double precision not null, -- of the 90 % band
    high      double precision not null,
    runs      integer not null, -- good runs that say what is usual
    since     date, -- the first day of those in a row that were unusual
    threshold double precision, -- that a forecast heads for
    days_left integer, -- until it gets there
    told      text not null,
    constraint anomalies_of_a_run_or_a_look check (num_nonnulls(run_id, look) = 1)
);
create index anomalies_by_run on etl.anomalies (run_id, league);
create index anomalies_by_look on etl.anomalies (look);
