DROP POLICY owner ON messages;
