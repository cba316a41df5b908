"""Does what an operator needs: backup and restore, nightly chores, logs, and what is counted and noticed."""
