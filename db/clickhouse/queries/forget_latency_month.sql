DELETE FROM latency
 WHERE workspace_id = {workspace:UUID} AND day >= {month:Date} AND day < {next:Date}
