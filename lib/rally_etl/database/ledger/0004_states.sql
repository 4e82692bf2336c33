-- What becomes of each league of a run, step by step, and what went wrong beyond the run itself.

alter table etl.run_leagues drop constraint run_leagues_state_check;
alter table etl.run_leagues add constraint run_leagues_state_check check (state in (
    'planned', 'audited', 'held', 'refused', 'approved', 'published', 'verified', 'undone', 'failed'));

-- Which step may follow which. `refused` is the end of a NO-GO, `failed` that of a run that died or could not write;
-- a run that is resumed takes up from `failed`, and the undo of an undo brings back what the first one took.
create table etl.state_steps (
    state_from text not null,
    state_to   text not null,
    primary key (state_from, state_to)
);
insert into etl.state_steps (state_from, state_to) values
    ('planned', 'audited'), ('planned', 'refused'), ('planned', 'failed'),
    ('audited', 'held'), ('audited', 'refused'), ('audited', 'published'), ('audited', 'failed'),
    ('held', 'approved'), ('held', 'refused'), ('held', 'failed'),
    ('approved', 'published'), ('approved', 'held'), ('approved', 'refused'), ('approved', 'failed'),
    ('published', 'verified'), ('published', 'failed'), ('published', 'undone'),
    ('verified', 'undone'), ('verified', 'failed'),
    ('failed', 'planned'), ('failed', 'published'), ('failed', 'undone'),
    ('undone', 'verified');

create table etl.state_changes (
    number bigint generated always as identity primary key,
    run_id text not null references etl.runs on delete cascade,
    league text not null,
    state  text not null,
    at     timestamptz not null default clock_timestamp(),
    cause  text not null default ''
);
create index state_changes_by_run on etl.state_changes (run_id, league, number);

create function etl.note_state() returns trigger language plpgsql as $$
begin
    if tg_op = 'UPDATE' then
        if new.state = old.state then
            return new;
        end if;
        if not exists (select from etl.state_steps where state_from = old.state and state_to = new.state) then
            raise exception 'league % of run % is %, which cannot become %', new.league, new.run_id, old.state, new.state
                using errcode = 'check_violation', hint = 'etl.state_steps lists the steps that there are';
        end if;
    end if;
    insert into etl.state_changes (run_id, league, state, cause)
    values (new.run_id, new.league, new.state, coalesce(new.cause, ''));
    return new;
end
$$;
create trigger note_state after insert or update of state on etl.run_leagues
    for each row execute function etl.note_state();

-- What people have to know about beyond one run: opened when it is seen, resolved when somebody or a later run says so.
create table etl.incidents (
    number      bigint generated always as identity primary key,
    run_id      text references etl.runs on delete set null,
    league      text not null default '*',
    rule        text not null,           -- of the gate, or of what looks at live after a publish
    severity    text not null check (severity in ('error', 'warn', 'info')),
    what        text not null,           -- one sentence: what is wrong, with the values
    done        text not null default '',-- what happened to the data
    todo        text not null default '',-- what to do
    state       text not null default 'open' check (state in ('open', 'acknowledged', 'resolved')),
    opened_at   timestamptz not null default clock_timestamp(),
    resolved_at timestamptz,
    resolved_by text,
    reason      text                     -- why it is over
);
create unique index incidents_open on etl.incidents (coalesce(run_id, ''), league, rule) where state <> 'resolved';
