"""What an application gets on top of the protocol: event streams, waiting, requests, replicated state."""
