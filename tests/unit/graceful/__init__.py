"""Tests of the descriptor layer."""
