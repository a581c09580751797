"""Plans and drift as Markdown for GitHub and GitLab: comments, notes, job summaries."""
