"""The figures that the README quotes: one module a question, each run by ``chimera bench NAME``."""
