"""Swin Transformers, the whole family."""
