//! Settings: one file and the environment over it.
