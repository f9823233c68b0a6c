"""Alertmanager's TLS transport: packets and streams over mutual TLS on one TCP port."""
