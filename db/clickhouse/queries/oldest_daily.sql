SELECT toStartOfMonth(daily.day) AS month, count() FROM daily
 WHERE daily.workspace_id = {workspace:UUID} AND daily.day < {before:Date}
 GROUP BY month ORDER BY month LIMIT 1
