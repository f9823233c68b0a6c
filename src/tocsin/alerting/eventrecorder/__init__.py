"""Alertmanager's event recorder, as far as it is pure: ``events.py`` says what happens as events,
``schema.py`` what an event looks like. Who writes them is in :mod:`tocsin.node.eventrecorder`."""
