DROP FUNCTION app.find_login(text[], uuid);
