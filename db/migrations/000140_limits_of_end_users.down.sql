ALTER TABLE end_users DROP COLUMN turn_limits;
