INSERT INTO checks (id) SELECT {id:UUID}
