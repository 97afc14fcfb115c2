SELECT if({monthly:UInt8} = 1, toStartOfMonth(d.day), d.day) AS period,
       sum(d.turns), sum(d.completed), sum(d.failed), sum(d.messages), sum(d.webhook_events), sum(d.audit_entries),
       sum(d.input_tokens), sum(d.output_tokens), sum(d.cost_micros)
  FROM daily AS d
 WHERE d.workspace_id = {workspace:UUID} AND d.day >= {from:Date} AND d.day < {to:Date}
   AND ({any_bot:UInt8} = 1 OR d.bot_id = {bot:UUID})
 GROUP BY period
