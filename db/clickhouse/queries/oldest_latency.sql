SELECT toStartOfMonth(latency.day) AS month, count() FROM latency
 WHERE latency.workspace_id = {workspace:UUID} AND latency.day < {before:Date}
 GROUP BY month ORDER BY month LIMIT 1
