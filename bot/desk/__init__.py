"""What people can ask for, one module a use case."""
