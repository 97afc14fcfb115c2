DROP POLICY cut ON audit_log;
