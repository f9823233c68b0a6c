"""A small local certificate authority: one CA, a certificate for each node, ready for mutual TLS.

Pure but for :mod:`tocsin.certificates.folder`, which reads and writes the files. The clock is passed in.
"""

from tocsin.certificates.authority import Identity, create_authority, issue_node_certificate
from tocsin.certificates.folder import CertificateFolder, NodeFiles

__all__ = ["CertificateFolder", "Identity", "NodeFiles", "create_authority", "issue_node_certificate"]
