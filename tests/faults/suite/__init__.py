"""Clusters of real processes, and what a bad network, disk, clock or kernel does to them."""
