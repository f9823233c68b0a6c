"""Joins the gossip library to the node's replicated state: the only package that knows both."""
