"""What is wrong with a set-up: from what was looked at to ailments, one file a part of it. Pure."""
