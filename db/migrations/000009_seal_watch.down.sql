DROP FUNCTION app.audit_sealed_to();
