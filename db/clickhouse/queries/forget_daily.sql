DELETE FROM daily WHERE workspace_id = {workspace:UUID}
