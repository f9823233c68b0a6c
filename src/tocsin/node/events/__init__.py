"""What has changed on the node, told to whoever listens: ``ring.py`` keeps it, ``hub.py`` looks and tells."""
