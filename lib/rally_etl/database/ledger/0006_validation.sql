-- What checks and pages found: keys of every failing row, pages before and after, rows that were computed.

alter table etl.check_results
add column keys text[] not null default '{}'; -- first column of every failing row, as text, in the order found

-- One page of the application for one league: who saw it before the run, and who would after.
create table etl.feature_results (
    run_id         text not null references etl.runs on delete cascade,
    league         text not null,
    feature        text not null,
    before         bigint not null default 0, -- teams, players, ... that have the page in live
    works_before   bigint not null default 0, -- of them, those whose page shows what it should
    after          bigint not null default 0, -- the same in the candidate
    works_after    bigint not null default 0,
    broken         bigint not null default 0, -- worked before, would not after
    mended         bigint not null default 0, -- did not work before, would after
    gone           bigint not null default 0, -- worked before, and there is nobody any more who has the page
    users          bigint not null default 0, -- users who see the page of one of them, after
    users_affected bigint not null default 0, -- users who see one that would break
    examples       jsonb not null default '[]', -- the three worst: subject, users, before, after
    seconds        double precision,
    error          text, -- the query could not run: nothing is known, and nothing passed
    primary key (run_id, league, feature)
);

-- Rows of the plan that no file said: computed from other rows, as standings from match lines.
create table etl.computed_rows (
    run_id     text not null references etl.runs on delete cascade,
    league     text not null,
    table_name text not null,
    id         bigint not null,
    reason     text not null,
    primary key (run_id, table_name, id)
);
