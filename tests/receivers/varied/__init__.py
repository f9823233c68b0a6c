"""Sections made by chance, played on the real Alertmanager and here: both must send the same."""
