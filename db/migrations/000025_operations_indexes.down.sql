DROP INDEX operations_by_age;
CREATE INDEX operations_by_age ON operations USING brin (created_at) WITH (autosummarize = on);
DROP INDEX operations_sealed;
CREATE INDEX operations_sealed ON operations (finished_at) WHERE sealed AND body IS NOT NULL;
