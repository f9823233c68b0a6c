"""Random stories, played against Tocsin and the real Alertmanager at the same time. ``make stories``."""
