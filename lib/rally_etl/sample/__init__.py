"""A made-up season for a first run, the tests and the benchmark; its people do not exist."""
