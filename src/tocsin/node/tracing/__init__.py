"""``tracing``: spans by OTLP, from a request with alerts to what a receiver is sent.

``tracing.py`` is what the rest of the node sees of it, on or off; ``spans.py`` makes the spans; ``export.py``
queues and sends them. The first alone is loaded without the section; the others need the extra
``tocsin[tracing]``.
"""
