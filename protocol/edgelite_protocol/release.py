"""The release of the whole distribution; here, because this is the one room that every other may import."""

VERSION = "0.2.0"
