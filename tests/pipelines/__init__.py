"""Pipelines played on this machine: GitHub's and GitLab's web APIs, their runners, and a bare git repository."""
