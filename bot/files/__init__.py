"""The pictures and videos of jobs: `contract` says what is promised."""
