"""Clients of a running cluster, which `tocsinctl` calls: keyring commands, a check of a TLS port."""
