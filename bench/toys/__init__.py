"""Toys for the benchmarks: a vendor and a chat on loopback, their clients, processes that never stay behind, tables."""

SENDER = "X-Sender"  # the header with the client's process id, so that it can be killed at an exact instant
