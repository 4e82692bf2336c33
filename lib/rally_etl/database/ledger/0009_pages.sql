-- Pages that this database does not have.

alter table etl.feature_results
add column skipped text; -- the page was not asked, and why: a table of users that it reads is not there
