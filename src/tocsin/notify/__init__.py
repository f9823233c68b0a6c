"""Notifications: what is sent to receivers, and how it is written."""
