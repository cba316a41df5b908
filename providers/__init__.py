"""Providers of videos, a folder each. Nothing here knows of chats, jobs or the database."""
