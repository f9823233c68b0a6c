"""Tocsin's own API, ``/api/tocsin/v1``: what Alertmanager's API does not have. Models are in
``tocsin.models``.

``registry.py`` names the resources, a module for each; ``resource.py`` is their contract, ``api.py`` the
frame around every call, ``backend.py`` what they need of the node beside what the API v2 needs.
"""

from typing import Final

PREFIX: Final = "/api/tocsin/v1"
