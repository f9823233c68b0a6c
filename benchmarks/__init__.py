"""Tocsin measured beside the real Alertmanager: ``python -m benchmarks --help``."""
