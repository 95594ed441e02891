"""Settings: ``common`` for all, and one module for each place where Loci runs."""
