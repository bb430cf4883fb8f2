"""Gates: what must hold of SQL, YAML, contracts and gold before anything runs; each is a finding with file and line."""
