-- A bot that is deleted keeps its row, without its name, for the turns and endpoints that name it.
ALTER TABLE bots ADD COLUMN deleted_at timestamptz; -- it is archived then, for processes of the release before
ALTER TABLE bots ADD COLUMN threads_deleted_at timestamptz; -- since when its threads are being erased; null: they stay, or are erased
CREATE INDEX bots_with_threads_to_erase ON bots (threads_deleted_at) WHERE threads_deleted_at IS NOT NULL;
CREATE POLICY door ON bots FOR SELECT TO parley_door USING (threads_deleted_at IS NOT NULL);
GRANT SELECT (id, threads_deleted_at) ON bots TO parley_door;
