DROP INDEX audit_log_newest, audit_log_by_user, audit_log_by_key, audit_log_by_action, audit_log_by_type, audit_log_by_resource, audit_log_by_operation;
