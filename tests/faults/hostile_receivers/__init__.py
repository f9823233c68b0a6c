"""Receivers that behave badly: what each of them costs."""
