ALTER FUNCTION app.search_words(text, text, integer) RESET enable_seqscan;
