-- The current branch of a thread, as the path of a turn. It goes on without an end, so that a turn that follows its last one does not change it.
ALTER TABLE threads ADD COLUMN path int8multirange;

-- The number of the last turn of the current branch of a thread whose last message has a number; NULL or less than 1: it has none.
CREATE FUNCTION app.current_seq(path int8multirange, last_seq bigint) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN path IS NULL THEN last_seq - 1 ELSE upper(path * int8multirange(int8range(1, last_seq + 1))) - 2 END
$$;
GRANT EXECUTE ON FUNCTION app.current_seq(int8multirange, bigint) TO parley_app;
