DROP POLICY owner ON operations;
