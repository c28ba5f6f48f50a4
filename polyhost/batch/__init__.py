"""Batch scoring: chunks of an input through the workers of one model, in order, in bounded memory."""
