-- For the list of the threads of an endpoint, newest first.
CREATE INDEX threads_of_endpoint ON threads (workspace_id, endpoint_id, created_at DESC, id DESC) WHERE endpoint_id IS NOT NULL;
