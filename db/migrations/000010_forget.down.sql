DROP FUNCTION app.is_first_key(bytea);
DROP TABLE installation;
DROP FUNCTION app.forget_login_attempts();
