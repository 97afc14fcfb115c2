DELETE FROM facts
 WHERE workspace_id = {workspace:UUID} AND at >= toDateTime64({month:Date}, 6, 'UTC') AND at < toDateTime64({next:Date}, 6, 'UTC')
