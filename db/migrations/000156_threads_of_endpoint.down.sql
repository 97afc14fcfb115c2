DROP INDEX threads_of_endpoint;
