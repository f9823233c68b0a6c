"""What has changed on the node, for listeners: ``ring.py`` keeps it, ``hub.py`` polls and sends."""
