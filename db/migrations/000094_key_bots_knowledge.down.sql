DROP POLICY key_bots ON knowledge_bases;
DROP POLICY key_bots ON documents;
DROP POLICY key_bots ON document_texts;
DROP POLICY key_bots ON chunks;
DROP POLICY key_bots_delete ON knowledge_bases;
DROP POLICY key_bots_delete ON documents;
DROP POLICY key_bots_delete ON document_texts;
DROP POLICY key_bots_delete ON chunks;
SELECT app.close_to_limited_keys('knowledge_bases'), app.close_to_limited_keys('documents'), app.close_to_limited_keys('document_texts'),
       app.close_to_limited_keys('chunks');
DROP FUNCTION app.known_bases(), app.sees_document(uuid), app.refuse_key(), app.let_key_read(regclass, text),
    app.readable_words(uuid[], text[], integer[]);
