SELECT if({monthly:UInt8} = 1, toStartOfMonth(toDate(f.at, {zone:String})), toDate(f.at, {zone:String})) AS period, f.bucket, sum(f.count)
  FROM facts AS f FINAL
 WHERE f.workspace_id = {workspace:UUID} AND f.at >= {from_time:DateTime64(6, 'UTC')} AND f.at < {to_time:DateTime64(6, 'UTC')}
   AND ({any_bot:UInt8} = 1 OR f.bot_id = {bot:UUID}) AND f.bucket >= 0
 GROUP BY period, f.bucket
