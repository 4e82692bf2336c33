-- Person keys that stand for another one: decided by people, or by evidence of an earlier run or of this one.
create temporary table person_aliases (
    spelling text primary key,
    target text not null,
    strategy text not null,
    confidence double precision not null,
    evidence text not null
) on commit drop
