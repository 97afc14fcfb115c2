-- Finishing an operation changes no column of an index any more, so that the new row goes beside the old one and no index
-- is written (a heap-only update), for which a page keeps room.
DROP INDEX operations_sealed;
CREATE INDEX operations_sealed ON operations (created_at) WHERE sealed;

-- By age with a tree: as rows are emptied and removed, new ones take their place, and soon every range of blocks has rows
-- of every age, which is all that BRIN knows of.
DROP INDEX operations_by_age;
CREATE INDEX operations_by_age ON operations (created_at);
