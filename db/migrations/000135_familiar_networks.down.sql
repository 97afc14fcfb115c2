DROP FUNCTION app.known_to_network(uuid[], bytea);
