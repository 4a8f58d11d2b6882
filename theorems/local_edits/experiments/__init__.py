"""Local Edits measured on real data: rows that inform and never gate."""
