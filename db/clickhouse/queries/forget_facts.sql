DELETE FROM facts WHERE workspace_id = {workspace:UUID}
