"""Answers what people ask for, one module a use case; `contract` says what it needs of the rooms beside it."""
