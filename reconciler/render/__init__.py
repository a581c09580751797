"""Plans and outcomes for people and programs. Decides nothing."""
