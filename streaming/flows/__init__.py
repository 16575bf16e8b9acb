"""The deployable dataflows, each built in one readable function."""
