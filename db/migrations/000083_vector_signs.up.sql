-- The signs of a vector's numbers: vectors that differ in few of them are near each other, and bits are counted fast. Null where
-- the release before has stored the vector.
ALTER TABLE vectors ADD COLUMN signs varbit;
GRANT UPDATE (signs) ON vectors TO parley_app;
-- A search reads the signs of all vectors of a collection and the numbers of few: those move out of the row.
ALTER TABLE vectors ALTER embedding SET STORAGE EXTERNAL;
ALTER TABLE vectors SET (toast_tuple_target = 256);
-- A vector is ids and directions. What it belongs to is read under row-level security, also by a key that is limited to some bots.
DROP POLICY key_bots ON vectors;
