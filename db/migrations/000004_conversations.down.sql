DROP TABLE messages;
DROP TABLE llm_turns;
DROP TABLE threads;
