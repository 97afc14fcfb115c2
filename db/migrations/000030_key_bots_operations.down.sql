DROP POLICY key_bots ON operations;
