"""Training SPEX in three stages, on transformers' Trainer. Importing this loads torch."""
