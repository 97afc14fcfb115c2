DROP INDEX threads_by_status;
