-- Answers of checks on live that count as long as no row that they read has changed (checks/remembered.py).

create table etl.remembered (
    question   text primary key, -- which checks, of which league
    asked      text not null, -- digest of all that decides beside rows: query, limits, day, program, role, settings
    at         timestamptz not null,
    next_xid   bigint not null, -- every transaction with a smaller number had ended when it was asked
    tables     jsonb not null, -- table -> what it is, and its number of rows
    results    jsonb not null
);
