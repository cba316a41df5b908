"""Decode other people's bytes in processes of their own, under limits."""
