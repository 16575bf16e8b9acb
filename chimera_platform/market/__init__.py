"""The market as data: events, instruments, books, bars and the formats that they are read from."""
