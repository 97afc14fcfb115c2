DROP FUNCTION app.current_seq(int8multirange, bigint);
ALTER TABLE threads DROP COLUMN path;
