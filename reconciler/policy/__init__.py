"""AWS's policy language: documents, ARNs, names. Knows nothing of grants."""
