"""Packets over UDP with DTLS, streams and longer packets over TCP with TLS, on one port number.

Tocsin nodes only. Needs the extra ``tocsin[dtls]``.
"""
