//! The five queues' jobs, and the clock that starts them.
