-- Looks that are thinned out take their metrics with them.
create index metrics_by_look on etl.metrics (look) where look is not null;
create index looks_by_time on etl.looks (at);
