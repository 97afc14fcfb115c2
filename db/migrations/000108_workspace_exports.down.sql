DROP FUNCTION app.locate_old_exports(integer);
DROP TABLE workspace_exports;
