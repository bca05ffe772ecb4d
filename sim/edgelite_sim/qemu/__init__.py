"""Emulated ARM surroundings, made from Debian's packages and kept in a cache that all checkouts of a user share."""
