"""``event_recorder``: writes events to files, standard output and webhooks, as Alertmanager does.

``recording.py`` is what the rest of the node sees of it, on or off; ``recorder.py`` queues and writes; the
outputs are named in ``outputs.py``. The first alone is loaded without ``--enable-feature=event-recorder``.
"""
