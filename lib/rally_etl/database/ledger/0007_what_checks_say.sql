-- What a check says of itself stands with what it found: a report of an old run tells what the check said then.

alter table etl.check_results
add column dimension text not null default '',
add column title text not null default '',
add column owner text not null default '',
add column why text not null default '', -- what users see if it is wrong
add column mend text not null default ''; -- what to do about what it found
