"""The pictures and videos of jobs."""
