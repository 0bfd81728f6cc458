"""Rollouts played with made-up traffic, to see what a plan would do. As in earnest, the core decides."""
