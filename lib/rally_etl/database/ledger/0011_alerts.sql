-- Who is told what: one incident per cause over runs, stages and leagues, and the messages that tell of it.

alter table etl.incidents
add column cause           text,                        -- `<source>/<rule>`; null: what happened to one run
add column whom            text not null default '',    -- whom it touches, and how
add column stage           text not null default '',
add column dimensions      text[] not null default '{}',
add column owners          text[] not null default '{}',
add column last_seen_at    timestamptz not null default clock_timestamp(),
add column seen            bigint not null default 1,   -- times that a run, or a look at live, has found it
add column last_run        text,
add column acknowledged_at timestamptz,
add column acknowledged_by text,
add column escalated_at    timestamptz;

drop index etl.incidents_open;
create unique index incidents_open on etl.incidents (coalesce(run_id, ''), league, rule)
where state <> 'resolved' and cause is null;
create unique index incidents_open_cause on etl.incidents (cause) where state <> 'resolved' and cause is not null;

-- Leagues in which the cause of an open incident stands; one that is good again goes.
create table etl.incident_leagues (
    incident bigint not null references etl.incidents (number) on delete cascade,
    league   text not null,
    severity text not null check (severity in ('error', 'warn', 'info')),
    what     text not null,
    since    timestamptz not null default clock_timestamp(),
    primary key (incident, league)
);

-- The spool: one row per message and channel. A row is `sending` from before the first byte until the answer is here.
create table etl.alert_messages (
    number     bigint generated always as identity primary key,
    channel    text not null,
    key        uuid not null unique default gen_random_uuid(), -- the same at every attempt: who gets it twice can tell
    severity   text not null check (severity in ('error', 'warn', 'info')),
    subject    text not null,
    body       text not null,
    state      text not null default 'queued' check (state in ('queued', 'sending', 'sent', 'gave_up')),
    attempts   integer not null default 0,
    uncertain  boolean not null default false, -- an attempt ended without an answer: it may have arrived
    created_at timestamptz not null default clock_timestamp(),
    next_at    timestamptz not null default clock_timestamp(),
    sent_at    timestamptz,
    answer     text                            -- what the server said last, without secrets and addresses
);
create index alert_messages_waiting on etl.alert_messages (channel, number) where state in ('queued', 'sending');

-- What each message told of which incident: the newest row per incident and channel is what people there know.
create table etl.alert_told (
    message  bigint not null references etl.alert_messages (number) on delete cascade,
    incident bigint not null references etl.incidents (number) on delete cascade,
    event    text not null check (event in ('opened', 'updated', 'escalated', 'resolved')),
    severity text not null,
    leagues  text[] not null,
    primary key (message, incident)
);
create index alert_told_by_incident on etl.alert_told (incident, message);
