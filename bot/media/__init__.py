"""Check pictures and videos, make them safe, make them fit."""
