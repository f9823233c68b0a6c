"""Clients of a running cluster, which `tocsinctl` calls: keyring commands, a look at a TLS port."""
