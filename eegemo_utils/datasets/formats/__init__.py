"""Kinds of files that several datasets have."""
