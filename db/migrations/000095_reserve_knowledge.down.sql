DROP FUNCTION app.reserve_knowledge(uuid, uuid, bigint, bigint, bigint, bigint);
