"""What an operator does: backup and restore, nightly chores, logs, what is counted and noticed."""
