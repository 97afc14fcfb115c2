DROP POLICY key_bots ON audit_log;
