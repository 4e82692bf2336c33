-- Members under the person key that live knows; `spelling` keeps the key of the scrape.
update members as m
set spelling = m.person_key, person_key = a.target
from person_aliases as a
where a.spelling = m.person_key
