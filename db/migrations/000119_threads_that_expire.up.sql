-- A thread that a call of a compatible API has opened for itself is deleted at expires_at; null: it stays.
ALTER TABLE threads ADD COLUMN expires_at timestamptz;
