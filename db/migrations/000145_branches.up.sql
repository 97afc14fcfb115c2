-- A turn follows any earlier turn of its thread: the messages before it are its path, as ranges of their numbers. NULL is every message
-- before it, as in a thread without branches.
ALTER TABLE llm_turns ADD COLUMN path int8multirange;

-- The path up to a turn and with it, which has the numbers user_seq and user_seq + 1.
CREATE FUNCTION app.path_to(path int8multirange, user_seq bigint) RETURNS int8multirange LANGUAGE sql IMMUTABLE AS $$
    SELECT coalesce(path, int8multirange(int8range(1, user_seq))) + int8multirange(int8range(user_seq, user_seq + 2))
$$;
-- The number of the turn that a turn follows; NULL or less than 1: it follows none.
CREATE FUNCTION app.parent_seq(path int8multirange, user_seq bigint) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN path IS NULL THEN user_seq ELSE upper(path) END - 2
$$;
GRANT EXECUTE ON FUNCTION app.path_to(int8multirange, bigint), app.parent_seq(int8multirange, bigint) TO parley_app;
