INSERT INTO schema_versions (version) SELECT {version:UInt32}
