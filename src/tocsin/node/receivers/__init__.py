"""The integrations: each performs one attempt to deliver a notification."""
