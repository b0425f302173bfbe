//! Durability: a process is killed in the middle of its commits.
