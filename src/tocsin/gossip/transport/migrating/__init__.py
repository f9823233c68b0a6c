"""Clear text and mutual TLS on one port, for the time in which a cluster moves from one to the other."""
