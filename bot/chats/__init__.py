"""The places where people talk: one contract, one folder a platform."""
