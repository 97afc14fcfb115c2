-- API keys may be good from some networks only. The program checks it, with the address of the client.
ALTER TABLE api_keys ADD COLUMN allowed_addresses text[]; -- networks as CIDR; null: any address
ALTER TABLE api_keys ADD CONSTRAINT api_keys_allowed_addresses_check CHECK (cardinality(allowed_addresses) BETWEEN 1 AND 50) NOT VALID; -- the column is new: there is nothing to validate
