"""What a job is, what may happen to it and what is allowed: pure."""
