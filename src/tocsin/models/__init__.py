"""What the API ``/api/tocsin/v1`` takes and answers, declared once: the node makes its answers and its
OpenAPI document of these classes, and clients read the answers into them.

A module for each resource, with its query, its body and its answer.
"""
