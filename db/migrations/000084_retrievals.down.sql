DROP TABLE retrieved_documents, retrievals;
