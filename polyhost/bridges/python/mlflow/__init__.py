"""Python models that MLflow saved: each flavor's loader, and the guest over what it loaded."""
