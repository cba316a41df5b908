"""The worker and the one move that it gives each job; nothing else touches a provider or posts an answer."""
