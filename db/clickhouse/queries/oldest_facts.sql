SELECT toStartOfMonth(facts.at) AS month, count() FROM facts
 WHERE facts.workspace_id = {workspace:UUID} AND facts.at < toDateTime64({before:Date}, 6, 'UTC')
 GROUP BY month ORDER BY month LIMIT 1
