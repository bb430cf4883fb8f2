"""The ETL package: core, contracts, bronze and silver layers, observation."""
