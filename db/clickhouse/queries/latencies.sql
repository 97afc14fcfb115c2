SELECT if({monthly:UInt8} = 1, toStartOfMonth(l.day), l.day) AS period, l.bucket, sum(l.turns)
  FROM latency AS l
 WHERE l.workspace_id = {workspace:UUID} AND l.day >= {from:Date} AND l.day < {to:Date}
   AND ({any_bot:UInt8} = 1 OR l.bot_id = {bot:UUID})
 GROUP BY period, l.bucket
