"""The commands of ``tocsinctl``: each is one module with a ``COMMAND``, and a line in ``registry``."""
