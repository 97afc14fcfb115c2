SELECT if({monthly:UInt8} = 1, toStartOfMonth(toDate(f.at, {zone:String})), toDate(f.at, {zone:String})) AS period,
       sumIf(f.count, f.kind IN ('completed', 'failed', 'cancelled')), sumIf(f.count, f.kind = 'completed'), sumIf(f.count, f.kind = 'failed'),
       sum(f.messages), sumIf(f.count, f.kind = 'webhook_event'), sumIf(f.count, f.kind = 'audit'),
       sum(f.input_tokens), sum(f.output_tokens), sum(f.cost_micros)
  FROM facts AS f FINAL
 WHERE f.workspace_id = {workspace:UUID} AND f.at >= {from_time:DateTime64(6, 'UTC')} AND f.at < {to_time:DateTime64(6, 'UTC')}
   AND ({any_bot:UInt8} = 1 OR f.bot_id = {bot:UUID})
 GROUP BY period
