"""Experiments: several replays that answer one question together."""
