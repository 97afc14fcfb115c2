DROP FUNCTION app.begin_set_up();
ALTER TABLE account_links DROP COLUMN proved_at;
