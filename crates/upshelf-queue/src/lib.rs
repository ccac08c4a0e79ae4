//! Background jobs, each committed with its cause.
