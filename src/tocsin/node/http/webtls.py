"""Makes the TLS context of ``--web.config.file``."""

from __future__ import annotations

import ssl

from tocsin.tls.contexts import build_server_context
from tocsin.tls.files import Files
from tocsin.tls.settings import ClientAuthType, TLSServerConfig
from tocsin.tls.trust import Trust, load_trust


def load_server_tls(server: TLSServerConfig) -> tuple[ssl.SSLContext, Trust]:
    """The context, and further checks of client certificates.

    :class:`~tocsin.errors.ConfigError` for a file that cannot be used.
    """
    files = Files()
    context = build_server_context(server, files)
    return context, load_trust(
        files,
        "tls_server_config",
        authority=("client_ca", server.client_ca_file, server.client_ca),
        revocations=("client_crl", server.client_crl_file, server.client_crl),
        allow_list="client_allowed_sans",
        allowed=server.client_allowed_sans,
        required=server.client_auth_type is ClientAuthType.REQUIRE_AND_VERIFY_CLIENT_CERT,
        verified=context.verify_mode is not ssl.CERT_NONE,
        servers=False,
    )
