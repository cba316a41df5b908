"""Rows, their history and the money: the only room that knows the database. `contract` says what it promises."""
