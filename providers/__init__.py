"""Video makers, one module each. Nothing here knows of chats, jobs or the database."""
