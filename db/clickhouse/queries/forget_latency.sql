DELETE FROM latency WHERE workspace_id = {workspace:UUID}
