DROP FUNCTION app.parent_seq(int8multirange, bigint);
DROP FUNCTION app.path_to(int8multirange, bigint);
ALTER TABLE llm_turns DROP COLUMN path;
