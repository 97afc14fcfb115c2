-- The words most like one that no document has are found by the index alone: its cost is overestimated where many words are alike,
-- and a scan would read the words of all workspaces.
ALTER FUNCTION app.search_words(text, text, integer) SET enable_seqscan = off;
