DROP POLICY owner ON llm_turns;
