"""Joins the gossip library to the node's replicated state: the only place that knows both."""
