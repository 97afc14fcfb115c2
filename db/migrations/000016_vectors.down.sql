DROP FUNCTION app.dot(real[], real[]);
DROP TABLE vectors;
