"""The HTTP server: connections, TLS, passwords, and the bounds of all three."""
